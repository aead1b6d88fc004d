"""A registrar that falls silent is noticed also where nothing is asked (RFC 5352 section 2.1).

Who watches pools may ask nothing for hours, and TCP tells of no silence. SCTP has heartbeats, but those of the profile
C{rfc} take minutes, and a kernel answers them for a process that stands still.
"""

from __future__ import annotations

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Effect, Send
from rserpool.core.handles import NOBODY as NOBODY
from rserpool.core.profiles import Profile
from rserpool.core.server_hunt import ServerHunt
from rserpool.core.wire import asap

HEARTBEATS = 5.0
"""SCTP whose heartbeats are no more than so many seconds apart notices by itself that a host is gone."""
_IDLE = ("idle",)


class Idle:
    """Listens to the home registrar; its timer is C{"idle"}."""

    def __init__(self, hunt: ServerHunt, timers: Timers, profile: Profile) -> None:
        self._hunt = hunt
        self._timers = timers
        self._profile = profile
        often = hunt.protocol == "tcp" or profile.heartbeat_interval > HEARTBEATS
        self._after = profile.idle if often else profile.idle_with_heartbeats
        self._heard = 0.0

    def heard(self, now: float) -> None:
        """The home said something."""
        self._heard = now

    def listen(self, now: float) -> None:
        """Somebody watches a pool at the home."""
        if self._hunt.home is not None and _IDLE not in self._timers:
            self._heard = now
            self._timers.set(_IDLE, now + self._after)

    def stop(self) -> None:
        """There is no home."""
        self._timers.cancel(_IDLE)

    def due(self, now: float) -> list[Effect] | None:
        """The timer is due: ask what any registrar answers in a few bytes, if the home said nothing for a while.

        @return: None if it is silent.
        """
        home = self._hunt.home
        ask_at = self._heard + self._after
        silent_at = ask_at + self._profile.patience
        if home is None:
            return []
        if now >= silent_at:
            return None
        self._timers.set(_IDLE, silent_at if now >= ask_at else ask_at)
        return [Send(home, asap.HandleResolution(NOBODY))] if now >= ask_at else []
