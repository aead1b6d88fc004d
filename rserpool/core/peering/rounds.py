"""What a registrar does among others again and again: it presents itself (RFC 5353 section 3.4.2), and looks around.

Both happen at whole numbers of their intervals after it has joined, so that what is due together wakes it once. While
it is alone neither is due: an idle registrar is not woken for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Effect
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peers import PeerList
from rserpool.core.peering.presence import Ourselves
from rserpool.core.peering.takeover import Takeovers
from rserpool.core.profiles import Profile
from rserpool.core.wire import enrp

HEARTBEAT: Final = "heartbeat"
ORPHANS: Final = "orphans"
_SLIP: Final = 0.001
"""This part of an interval a round may come too early, and is the one that was due."""


class Rounds:
    """
    @param ready: whether initialization is completed (3.2).
    """

    def __init__(
        self,
        handlespace: Handlespace,
        peers: PeerList,
        ourselves: Ourselves,
        takeovers: Takeovers,
        timers: Timers,
        profile: Profile,
        ready: Callable[[], bool],
    ) -> None:
        self._handlespace = handlespace
        self._peers = peers
        self._ourselves = ourselves
        self._takeovers = takeovers
        self._timers = timers
        self._ready = ready
        self._every = {HEARTBEAT: profile.peer_heartbeat_cycle, ORPHANS: profile.max_time_last_heard}
        self._began: float | None = None
        self._asked = 0

    def begin(self, now: float) -> None:
        """We are a registrar among others from now on."""
        self._began = now
        for which in self._every:
            self._again(which, now)

    def met(self, now: float) -> None:
        """There is somebody with whom we speak ENRP."""
        for which in self._every:
            if (which,) not in self._timers:
                self._again(which, now)

    def present(self, now: float) -> list[Effect]:
        """L{HEARTBEAT} is due: a presence to each peer, and to the group, if we announce there."""
        over = self._peers.associations + self._peers.of_removed
        effects = self._ourselves.presences(over) + self._ourselves.announced()
        if effects or self._peers.speaks_with_any:
            self._again(HEARTBEAT, now)
        return effects

    def look_around(self, now: float) -> list[Outcome]:
        """L{ORPHANS} is due: take them over, and ask one peer after the other whom it knows: two that lost each other
        may have a third in common."""
        outcomes = self._takeovers.look_for_orphans(now)
        connected = self._peers.connected
        if self._ready() and connected:
            self._asked = next((peer for peer in connected if peer > self._asked), connected[0])
            request = enrp.ListRequest(self._ourselves.server, self._asked)
            outcomes += self._peers.to(self._asked, request)
        own = self._ourselves.server
        if self._peers.speaks_with_any or any(home != own for home in self._handlespace.homes):
            self._again(ORPHANS, now)
        return outcomes

    def _again(self, which: str, now: float) -> None:
        if self._began is not None:
            every = self._every[which]
            passed = int((now - self._began) / every + _SLIP)
            self._timers.set((which,), self._began + (passed + 1) * every)
