"""Every takeover that is under way, and what each asks for (RFC 5353 section 3.5; L{arbitration} decides)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from rserpool.core import authority
from rserpool.core.authority import gives_way
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Notify
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering import arbitration
from rserpool.core.peering.arbitration import Action
from rserpool.core.peering.events import OutOfPlace, TakenOver
from rserpool.core.peering.peers import PeerList
from rserpool.core.peering.presence import Ourselves
from rserpool.core.peering.replica import Replica
from rserpool.core.profiles import Profile
from rserpool.core.rules import What
from rserpool.core.wire import enrp

TAKEOVER: Final = "takeover"
"""The key of the deadline of a takeover's present step: with the target's identifier."""


class Takeovers:
    """One state machine for each target.

    @ivar gives_way: how claims are arbitrated (3.5.1): that of L{arbitration.step}.
    """

    def __init__(
        self,
        ourselves: Ourselves,
        handlespace: Handlespace,
        replica: Replica,
        peers: PeerList,
        timers: Timers,
        *,
        profile: Profile,
        random: Dice,
    ) -> None:
        self._ourselves = ourselves
        self._handlespace = handlespace
        self._replica = replica
        self._peers = peers
        self._timers = timers
        self._profile = profile
        self._random = random
        self._states: dict[int, arbitration.State] = {}
        self._orphans: dict[int, float] = {}
        self.gives_way: Callable[[int, int], bool] = gives_way

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, target: int) -> bool:
        return target in self._states

    def happened(self, target: int, event: arbitration.Event, now: float) -> list[Outcome]:
        """Something happened that concerns the takeover of one target."""
        no_response = self._profile.max_time_no_response
        durations = arbitration.Durations(
            claim=no_response * self._random.uniform(1.0, 1.4), probe=no_response, yielded=4 * no_response
        )
        before = self._states.get(target, arbitration.Monitored())
        state, actions = arbitration.step(self._ourselves.server, before, event, now, durations, self.gives_way)
        if isinstance(state, arbitration.Monitored):
            self._states.pop(target, None)
        else:
            self._states[target] = state
        when = arbitration.deadline(state)
        self._timers.set((TAKEOVER, target), inf if when is None else when)
        if isinstance(event, arbitration.Acknowledged) and not isinstance(before, _CLAIMED):
            return [Notify(OutOfPlace(event.by, "ENRP_INIT_TAKEOVER_ACK"))]
        return [outcome for action in actions for outcome in self._act(action, target, state, event, now)]

    def everywhere(self, event: arbitration.Event, now: float) -> list[Outcome]:
        """Something happened that concerns every takeover."""
        return [outcome for target in list(self._states) for outcome in self.happened(target, event, now)]

    def time_out(self, target: int, now: float) -> list[Outcome]:
        """L{TAKEOVER} is due."""
        return self.happened(target, arbitration.TimeOut(), now)

    def look_for_orphans(self, now: float) -> list[Outcome]:
        """Elements whose home nobody knows are taken over like those of a failed peer."""
        lost = {
            home
            for home in self._handlespace.homes
            if home != self._ourselves.server and home not in self._peers and home not in self._states
        }
        outcomes: list[Outcome] = []
        for home in sorted(lost):
            since = self._orphans.setdefault(home, now)
            if now >= since + self._profile.max_time_last_heard:
                del self._orphans[home]
                outcomes += self.happened(home, arbitration.Failed(frozenset(self._peers.connected)), now)
        self._orphans = {home: since for home, since in self._orphans.items() if home in lost}
        return outcomes

    # What registrars say about each other

    def claimed(self, by: int, target: int, now: float) -> list[Outcome]:
        """ENRP_INIT_TAKEOVER of the peer C{by}."""
        if authority.takes_over(What.CLAIM, self._ourselves.server, target).allowed:
            return self.happened(target, arbitration.Claim(by), now)
        # 3.5.1 (1): we live.
        return [*self._ourselves.presences(self._peers.associations)]

    def enforced(self, by: int, target: int, now: float) -> list[Outcome]:
        """ENRP_TAKEOVER_SERVER of the peer C{by}."""
        if authority.takes_over(What.ENFORCE, self._ourselves.server, target).allowed:
            return self.happened(target, arbitration.Enforced(by), now)
        # We live, but our elements belong to the peer, unless they tell otherwise.
        moved = self._replica.handed_over(self._ourselves.server, by)
        return [*moved, *self._ourselves.presences(self._peers.associations)]

    def _act(
        self, action: Action, target: int, state: arbitration.State, event: arbitration.Event, now: float
    ) -> list[Outcome]:
        server, peers = self._ourselves.server, self._peers
        match action:
            case Action.ANNOUNCE_CLAIM:
                return [*peers.to_all(enrp.encode(enrp.InitTakeover(server, 0, target)))]
            case Action.ACKNOWLEDGE if isinstance(state, arbitration.Yielded):
                peers.monitor(target, False)
                return [*peers.to(state.to, enrp.InitTakeoverAck(server, state.to, target))]
            case Action.PROBE if isinstance(state, arbitration.Probing):
                pending = (peers.get(peer) for peer in sorted(state.pending))
                return [effect for peer in pending if peer is not None for effect in self._ourselves.ask(peer)]
            case Action.ENFORCE:
                # 3.5.2: tell all, remove the target, own its elements.
                told = peers.to_all(enrp.encode(enrp.TakeoverServer(server, 0, target)))
                self._orphans.pop(target, None)
                return [*told, *self._hand_over(target, server)]
            case Action.HAND_OVER if isinstance(event, arbitration.Enforced):
                return self._hand_over(target, event.by)
            case Action.MONITOR:
                again = self._profile.max_time_no_response * self._random.uniform(1.0, 3.0)
                watched = peers.monitor(target, True)
                if watched is not None:
                    watched.last_heard = now - self._profile.max_time_last_heard + again
                    peers.watch(watched)
            case Action.ACTIVE:
                peers.monitor(target, True)
        return []

    def _hand_over(self, target: int, to: int) -> list[Outcome]:
        self._peers.remove(target)
        moved = self._replica.handed_over(target, to)
        return [Notify(TakenOver(target, to, len(moved))), *moved]


_CLAIMED = (arbitration.Claiming, arbitration.Probing)
