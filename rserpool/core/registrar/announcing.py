"""Server announcements at the registrar (RFC 5352 sections 2.2.10 and 3.6)."""

from __future__ import annotations

from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Announce, Effect
from rserpool.core.profiles import Profile
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import SctpTransport, TcpTransport

ANNOUNCE: Final = "announce"
MOST = 256
"""So many other registrars are counted."""


class Announcing:
    """Announces this registrar every (N+1) * T6, N being the registrars heard of lately: about one message per T6.

    But always before T7 is over: who listens would forget it, and anybody can announce registrars that do not exist.
    """

    def __init__(self, server: int, profile: Profile, timers: Timers) -> None:
        self._server = server
        self._profile = profile
        self._timers = timers
        self._others: dict[int, float] = {}
        self._message: asap.ServerAnnounce | None = None

    def start(
        self, transports: tuple[SctpTransport | TcpTransport, ...], encapsulation: int, now: float
    ) -> list[Effect]:
        """Begin to announce these transports."""
        self._message = asap.ServerAnnounce(self._server, transports, encapsulation)
        return self.announce(now)

    def heard(self, message: asap.ServerAnnounce, now: float) -> None:
        """Another registrar announced itself."""
        if message.server != self._server and (message.server in self._others or len(self._others) < MOST):
            self._others[message.server] = now

    def announce(self, now: float) -> list[Effect]:
        """L{ANNOUNCE} is due."""
        if self._message is None:
            return []
        t6, t7 = self._profile.t6_server_announce, self._profile.t7_enrp_outdate
        longest = max(t6, t7 - t6)
        # One that has been silent for T7, or three of its own turns, is not counted any more.
        oldest = now - max(t7, 3 * min((len(self._others) + 1) * t6, longest))
        self._others = {server: when for server, when in self._others.items() if when >= oldest}
        self._timers.set((ANNOUNCE,), now + min((len(self._others) + 1) * t6, longest))
        return [Announce(self._message)]
