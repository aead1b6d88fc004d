"""Every takeover that is under way, and what each asks for (RFC 5353 section 3.5; C{takeover} decides)."""

from __future__ import annotations

from collections.abc import Callable
from operator import lt

from rserpool.core.dice import Dice
from rserpool.core.effects import Effect, Notify
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering import takeover
from rserpool.core.peering.events import TakenOver
from rserpool.core.peering.peers import PeerList
from rserpool.core.peering.replica import Replica
from rserpool.core.profiles import Profile
from rserpool.core.wire import enrp


class Takeovers:
    """One state machine for each target.

    @param adopt: C{adopt(element, now)} is called for each element that we take over.
    @param presence: C{presence(receiver)} gives the probe of a peer.
    @ivar gives_way: how claims are arbitrated (3.5.1): that of L{takeover.step<rserpool.core.peering.takeover.step>}.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        replica: Replica,
        peers: PeerList,
        *,
        profile: Profile,
        random: Dice,
        adopt: Callable[[Element, float], list[Effect]],
        presence: Callable[[int], enrp.Presence],
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._replica = replica
        self._peers = peers
        self._profile = profile
        self._random = random
        self._adopt = adopt
        self._presence = presence
        self._states: dict[int, takeover.State] = {}
        self._orphans: dict[int, float] = {}
        self.gives_way: Callable[[int, int], bool] = lt

    def __len__(self) -> int:
        return len(self._states)

    def happened(self, target: int, event: takeover.Event, now: float) -> list[Effect]:
        """Something happened that concerns the takeover of one target."""
        no_response = self._profile.max_time_no_response
        timers = takeover.Timers(
            claim=no_response * self._random.uniform(1.0, 1.4), probe=no_response, yielded=4 * no_response
        )
        before = self._states.get(target, takeover.Monitored())
        state, actions = takeover.step(self._server, before, event, now, timers, self.gives_way)
        if isinstance(state, takeover.Monitored):
            self._states.pop(target, None)
        else:
            self._states[target] = state
        return [effect for action in actions for effect in self._act(action, target, state, event, now)]

    def everywhere(self, event: takeover.Event, now: float) -> list[Effect]:
        """Something happened that concerns every takeover."""
        return [effect for target in list(self._states) for effect in self.happened(target, event, now)]

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for target, state in list(self._states.items()):
            when = takeover.deadline(state)
            if when is not None and now >= when:
                effects += self.happened(target, takeover.TimeOut(), now)
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        deadlines = (takeover.deadline(state) for state in self._states.values())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def look_for_orphans(self, now: float) -> list[Effect]:
        """Elements whose home nobody knows are taken over like those of a failed peer."""
        lost = {
            home
            for home in self._handlespace.homes
            if home != self._server and home not in self._peers and home not in self._states
        }
        effects: list[Effect] = []
        for home in sorted(lost):
            since = self._orphans.setdefault(home, now)
            if now >= since + self._profile.max_time_last_heard:
                del self._orphans[home]
                effects += self.happened(home, takeover.Failed(frozenset(self._peers.connected)), now)
        self._orphans = {home: since for home, since in self._orphans.items() if home in lost}
        return effects

    def _act(
        self, action: takeover.Action, target: int, state: takeover.State, event: takeover.Event, now: float
    ) -> list[Effect]:
        match action:
            case takeover.Action.ANNOUNCE_CLAIM:
                return self._peers.to_all(enrp.encode(enrp.InitTakeover(self._server, 0, target)))
            case takeover.Action.ACKNOWLEDGE if isinstance(state, takeover.Yielded):
                self._monitor(target, False)
                return self._peers.to(state.to, enrp.InitTakeoverAck(self._server, state.to, target))
            case takeover.Action.PROBE if isinstance(state, takeover.Probing):
                probes = [self._peers.to(peer, self._presence(peer)) for peer in sorted(state.pending)]
                return [effect for probe in probes for effect in probe]
            case takeover.Action.ENFORCE:
                return self._enforce(target, now)
            case takeover.Action.HAND_OVER if isinstance(event, takeover.Enforced):
                self._peers.remove(target)
                return [Notify(TakenOver(target, event.by, self._replica.handed_over(target, event.by)))]
            case takeover.Action.MONITOR:
                self._monitor(target, True)
                again = self._profile.max_time_no_response * self._random.uniform(1.0, 3.0)
                watched = self._peers.get(target)
                if watched is not None:
                    watched.last_heard = now - self._profile.max_time_last_heard + again
            case takeover.Action.ACTIVE:
                self._monitor(target, True)
        return []

    def _monitor(self, target: int, monitored: bool) -> None:
        peer = self._peers.get(target)
        if peer is not None:
            peer.monitored = monitored
            peer.answer_by = None

    def _enforce(self, target: int, now: float) -> list[Effect]:
        # 3.5.2: tell all, remove the target, own its elements.
        effects = self._peers.to_all(enrp.encode(enrp.TakeoverServer(self._server, 0, target)))
        self._peers.remove(target)
        self._orphans.pop(target, None)
        elements = list(self._handlespace.owned_by(target))
        effects.append(Notify(TakenOver(target, self._server, len(elements))))
        for element in elements:
            self._handlespace.adopt(element, self._server)
            effects += self._adopt(element, now)
        return effects
