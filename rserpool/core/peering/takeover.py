"""Every takeover that is under way, and what each asks for (RFC 5353 section 3.5; L{arbitration} decides)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from rserpool.core import authority
from rserpool.core.authority import gives_way
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Effect, Notify
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering import arbitration
from rserpool.core.peering.arbitration import Action
from rserpool.core.peering.events import OutOfPlace, PeerError, TakenOver
from rserpool.core.peering.peers import PeerList
from rserpool.core.peering.presence import Ourselves
from rserpool.core.peering.replica import Replica
from rserpool.core.profiles import Profile
from rserpool.core.ruling import Ruling, What
from rserpool.core.wire import enrp

TAKEOVER: Final = "takeover"
"""The key of the deadline of a takeover's present step: with the target's identifier."""
VAIN: Final = 2
"""So many claims about one target are acknowledged that come to nothing; then others' claims about it are ignored."""
QUIET = 0.1
"""At least so many seconds lie between two announcements that we live."""


class Takeovers:
    """One state machine for each target: for peers, and for who owns something; claims about others keep nothing.

    Who claims and enforces nothing, or lives and acknowledges nothing, delays a takeover once and stops none.

    @ivar entered: how often each phase was entered so far, with C{"done"} for those that came to an end by a new owner.
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
        # Of each target: who let its claims pass, or did not acknowledge ours; and how many claims came to nothing.
        self._unfaithful: dict[int, dict[int, None]] = {}
        self._vain: Counter[int] = Counter()
        self._said_alive = self._disowned = -inf
        self.entered: Counter[str] = Counter()
        self.gives_way: Callable[[int, int], bool] = gives_way

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, target: int) -> bool:
        return target in self._states

    @property
    def phases(self) -> Counter[str]:
        """How many are in each phase now."""
        return Counter(type(state).__name__.lower() for state in self._states.values())

    def happened(self, target: int, event: arbitration.Event, now: float) -> list[Outcome]:
        """Something happened that concerns the takeover of one target."""
        no_response = self._profile.max_time_no_response
        durations = arbitration.Durations(
            claim=no_response * self._random.uniform(1.0, 1.4), probe=no_response, yielded=4 * no_response
        )
        before = self._states.get(target, arbitration.Monitored())
        if isinstance(event, arbitration.TimeOut):
            self._let_pass(target, before)
        state, actions = arbitration.step(self._ourselves.server, before, event, now, durations, self.gives_way)
        if type(state) is not type(before):
            self.entered[type(state).__name__.lower()] += 1
        if isinstance(state, arbitration.Monitored):
            self._states.pop(target, None)
        else:
            self._states[target] = state
        when = arbitration.deadline(state)
        self._timers.set((TAKEOVER, target), inf if when is None else when)
        if isinstance(event, arbitration.Acknowledged) and not isinstance(before, _CLAIMED):
            return [Notify(OutOfPlace(event.by, "ENRP_INIT_TAKEOVER_ACK"))]
        return [outcome for action in actions for outcome in self._act(action, target, before, event, now)]

    def failed(self, target: int, now: float) -> list[Outcome]:
        """3.5.1: we consider the target dead, and claim its elements, unless it lives and does not believe us."""
        peer = self._peers.get(target)
        if not authority.claimable(peer is not None and peer.refuses).allowed:
            return []
        asked = {*self._peers.connected} - {target, *self._unfaithful.get(target, ())}
        return self.happened(target, arbitration.Failed(frozenset(asked)), now)

    def turned_away(self, association: Association, message: enrp.Error, now: float) -> list[Outcome]:
        """Another registrar tells us that we are none for it any more."""
        told, peer = Notify(PeerError(message.sender, message.causes)), self._peers.get(message.sender)
        if peer is None or not self._peers.speaks(association, message.sender).allowed:
            return [told]
        peer.refuses = True
        return [told, *self.heard(peer.identifier, now)]

    def heard(self, peer: int, now: float) -> list[Outcome]:
        """A registrar gave a sign of life."""
        if not self._states and not self._unfaithful:
            return []
        self._forget(peer)
        outcomes = self.happened(peer, arbitration.TargetHeard(), now) if peer in self._states else []
        for target, state in list(self._states.items()):
            if isinstance(state, arbitration.Probing) and peer in state.pending:
                outcomes += self.happened(target, arbitration.Heard(peer), now)
        return outcomes

    def gone(self, peer: int, now: float) -> list[Outcome]:
        """A peer has no association any more."""
        event = arbitration.PeerGone(peer)
        return [outcome for target in list(self._states) for outcome in self.happened(target, event, now)]

    def time_out(self, target: int, now: float) -> list[Outcome]:
        """L{TAKEOVER} is due."""
        return self.happened(target, arbitration.TimeOut(), now)

    def look_for_orphans(self, now: float) -> list[Outcome]:
        """Elements whose home nobody knows are taken over like those of a failed peer."""
        lost = {
            home
            for home in self._handlespace.homes
            if home != self._ourselves.server
            and home not in self._peers
            and home not in self._states
            and not self._replica.moving[home]
        }
        outcomes: list[Outcome] = []
        for home in sorted(lost):
            since = self._orphans.setdefault(home, now)
            if now >= since + self._profile.max_time_last_heard:
                del self._orphans[home]
                outcomes += self.failed(home, now)
        self._orphans = {home: since for home, since in self._orphans.items() if home in lost}
        return outcomes

    # What registrars say about each other

    def claimed(self, by: int, target: int, now: float) -> list[Outcome]:
        """ENRP_INIT_TAKEOVER of the peer C{by}."""
        server, unfaithful = self._ourselves.server, by in self._unfaithful.get(target, ())
        unfaithful = unfaithful or self._vain[target] >= VAIN
        rule = authority.takes_over(What.CLAIM, server, target, known=self._knows(target), unfaithful=unfaithful)
        match rule.ruling:
            case Ruling.ALLOWED:
                return self.happened(target, arbitration.Claim(by), now)
            case Ruling.AGREED:
                return [*self._peers.to(by, enrp.InitTakeoverAck(server, by, target))]
            case Ruling.DENIED:  # 3.5.1 (1)
                return [*self._we_live(now)]
        return []

    def enforced(self, by: int, target: int, now: float) -> list[Outcome]:
        """ENRP_TAKEOVER_SERVER of the peer C{by}."""
        living = self._peers.speaks_with_us(target, now)
        rule = authority.takes_over(
            What.ENFORCE, self._ourselves.server, target, known=self._knows(target), living=living
        )
        if rule.ruling is Ruling.DISOWNED:
            # We live, but our elements belong to the peer, unless they tell otherwise; it took us for dead, which it
            # cannot do again so soon.
            moved: list[Outcome] = []
            if now >= self._disowned + self._profile.max_time_last_heard:
                self._disowned = now
                _, moved = self._replica.handed_over(self._ourselves.server, by)
            return [*moved, *self._we_live(now)]
        if rule.ruling is Ruling.IGNORED:
            return []
        return self.happened(target, arbitration.Enforced(by, rule.ruling is Ruling.QUESTIONED), now)

    def _knows(self, target: int) -> bool:
        return target in self._peers or target in self._handlespace.homes or target in self._states

    def _we_live(self, now: float) -> list[Effect]:
        if now < self._said_alive + QUIET:
            return []
        self._said_alive = now
        return self._ourselves.presences(self._peers.associations)

    def _let_pass(self, target: int, state: arbitration.State) -> None:
        """A deadline has passed: who was to do something by then?"""
        match state:
            case arbitration.Yielded(to=to):
                late: Iterable[int] = (to,)
                self._vain[target] += 1
            case arbitration.Probing(alive=alive):
                late = alive
            case _:
                return
        self._unfaithful.setdefault(target, {}).update(dict.fromkeys(late))

    def _forget(self, target: int) -> None:
        """It lives, or is gone: who did what while it was silent does not matter."""
        if target in self._unfaithful:
            del self._unfaithful[target]
            del self._vain[target]

    def _act(
        self, action: Action, target: int, before: arbitration.State, event: arbitration.Event, now: float
    ) -> list[Outcome]:
        server, peers, state = self._ourselves.server, self._peers, self._states.get(target)
        match action:
            case Action.ANNOUNCE_CLAIM:
                return [*peers.to_all(enrp.encode(enrp.InitTakeover(server, 0, target)))]
            case Action.ACKNOWLEDGE if isinstance(event, arbitration.Claim):
                peers.monitor(target, False)
                return [*peers.to(event.by, enrp.InitTakeoverAck(server, event.by, target))]
            case Action.ASK:
                doubted = peers.monitor(target, False)
                return [] if doubted is None else [*self._ourselves.ask(doubted)]
            case Action.PROBE if isinstance(state, arbitration.Probing):
                pending = (peers.get(peer) for peer in sorted(state.pending))
                return [effect for peer in pending if peer is not None for effect in self._ourselves.ask(peer)]
            case Action.ENFORCE:
                # 3.5.2: tell all, remove the target, own its elements.
                told = peers.to_all(enrp.encode(enrp.TakeoverServer(server, 0, target)))
                return [*told, *self._hand_over(target, server)]
            case Action.HAND_OVER:
                enforced = event if isinstance(event, arbitration.Enforced) else before
                return self._hand_over(target, enforced.by) if isinstance(enforced, _ENFORCED) else []
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
        self._forget(target)
        number, moved = self._replica.handed_over(target, to)
        self.entered["done"] += 1
        return [Notify(TakenOver(target, to, number)), *moved]


_CLAIMED = (arbitration.Claiming, arbitration.Probing)
_ENFORCED = (arbitration.Enforced, arbitration.Doubting)
