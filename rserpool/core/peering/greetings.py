"""Who is at the other end of an association that we dialled: asked until somebody says (RFC 5353 section 3.2.2.2).

There are registrars that answer no presence, and tell of themselves only now and then; a lost or ignored presence must
not keep us from a mentor that somebody named. So a configured peer is asked for its list at once, without its
identifier, and both are repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rserpool.core.addresses import TransportAddress
from rserpool.core.backoff import Backoff
from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association, Effect, Notify, Send
from rserpool.core.peering.events import PeerSilent
from rserpool.core.peering.presence import Ourselves
from rserpool.core.profiles import Profile
from rserpool.core.wire import enrp

GREET: Final = "greet"
"""The key of an association over which nobody has said who is there."""
SILENT: Final = 2
"""After so many presences without an answer the operator hears of it."""


class _Greeting:
    __slots__ = ("configured", "listing", "pause", "place", "presences")

    def __init__(self, place: TransportAddress, configured: bool) -> None:
        self.place = place
        self.configured = configured
        self.listing = False
        self.presences = 1
        self.pause = 0.0


class Greetings:
    """The associations that we dialled and over which we have heard nobody yet.

    @param wanted: C{wanted()} tells whether a list is of use now: no mentor is giving us his.
    """

    def __init__(self, ourselves: Ourselves, timers: Timers, profile: Profile, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._ourselves = ourselves
        self._timers = timers
        self._pauses = Backoff(profile.max_time_no_response, max(profile.peer_heartbeat_cycle, 30.0))
        self._greetings: dict[Association, _Greeting] = {}

    def begin(self, association: Association, place: TransportAddress, configured: bool, now: float) -> list[Effect]:
        """An association is up; a presence was sent over it."""
        greeting = self._greetings[association] = _Greeting(place, configured)
        self._wait(association, greeting, now)
        return self._ask(association, greeting)

    def again(self, association: Association, now: float) -> list[Effect]:
        """L{GREET} is due."""
        greeting = self._greetings[association]
        told = [Notify(PeerSilent(greeting.place))] if greeting.presences == SILENT else []
        greeting.presences += 1
        self._wait(association, greeting, now)
        return [
            self._ourselves.presence(association, reply_required=True),
            *self._ask(association, greeting),
            *told,
        ]

    def over(self, association: Association) -> bool:
        """Somebody speaks, or the association is gone; whether a list was asked for."""
        greeting = self._greetings.pop(association, None)
        self._timers.cancel((GREET, association))
        return greeting is not None and greeting.listing

    def _wait(self, association: Association, greeting: _Greeting, now: float) -> None:
        greeting.pause = self._pauses.after(greeting.pause)
        self._timers.set((GREET, association), now + greeting.pause)

    def _ask(self, association: Association, greeting: _Greeting) -> list[Effect]:
        # A configured address is where a mentor may be.
        if not (greeting.configured and self._wanted()):
            return []
        greeting.listing = True
        return [Send(association, enrp.ListRequest(self._ourselves.server, 0))]
