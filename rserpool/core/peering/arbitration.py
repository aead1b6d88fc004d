"""The takeover of one failed peer, step by step: arbitration and enforcement (RFC 5353 section 3.5).

The RFC names no deadline for the arbitration. Ours: at a jittered deadline, peers that have not acknowledged are
probed; those that do not answer count as having acknowledged; if one is alive and does not acknowledge, the claim is
given up, and made again later if the target is still silent. Whoever acknowledged a claim and hears of no enforcement
monitors the target again; to claim again prolongs nothing. An enforcement about a target that speaks with us waits
while that is asked. So there is one owner in the end, also with registrars that arbitrate the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from rserpool.core import authority
from rserpool.core.errors import ImpossibleEvent
from rserpool.core.frozen import frozen


@frozen
class Monitored:
    """No takeover is under way."""


@frozen
class Claiming:
    """We announced ENRP_INIT_TAKEOVER and wait for the acknowledgements of C{pending}."""

    pending: frozenset[int]
    deadline: float


@frozen
class Probing:
    """The claim's deadline passed; C{pending} were asked whether they live, C{alive} do and have not acknowledged."""

    pending: frozenset[int]
    alive: frozenset[int]
    deadline: float


@frozen
class Yielded:
    """We acknowledged the claim of C{to}; if it enforces nothing by C{deadline}, we monitor the target again."""

    to: int
    deadline: float


@frozen
class Doubting:
    """C{by} enforced the takeover of a target that speaks with us; unless that answers by C{deadline}, it counts."""

    by: int
    deadline: float


State = Monitored | Claiming | Probing | Yielded | Doubting


@frozen
class Failed:
    """We consider the target dead; C{peers} are those that must agree."""

    peers: frozenset[int]


@frozen
class Claim:
    """ENRP_INIT_TAKEOVER of another registrar."""

    by: int


@frozen
class Acknowledged:
    """ENRP_INIT_TAKEOVER_ACK."""

    by: int


@frozen
class Heard:
    """Any message of another peer: it is alive."""

    peer: int


@frozen
class PeerGone:
    """Another peer is not there any more: its acknowledgement is not needed."""

    peer: int


@frozen
class TargetHeard:
    """The target speaks: a false alarm."""


@frozen
class Enforced:
    """ENRP_TAKEOVER_SERVER of another registrar.

    @ivar living: whether the target spoke with us lately, and can still do so.
    """

    by: int
    living: bool = False


@frozen
class TimeOut:
    """The state's deadline has passed."""


Event = Failed | Claim | Acknowledged | Heard | PeerGone | TargetHeard | Enforced | TimeOut


class Action(Enum):
    """What the caller must do."""

    ANNOUNCE_CLAIM = auto()
    """Send ENRP_INIT_TAKEOVER to all peers, the target included."""
    ACKNOWLEDGE = auto()
    """Send ENRP_INIT_TAKEOVER_ACK to whoever claims, and monitor the target no longer."""
    PROBE = auto()
    """Send ENRP_PRESENCE with the Reply-required flag to the peers that are pending."""
    ASK = auto()
    """Send ENRP_PRESENCE with the Reply-required flag to the target, and monitor it no longer."""
    ENFORCE = auto()
    """Announce ENRP_TAKEOVER_SERVER, remove the target, own its elements (3.5.2)."""
    HAND_OVER = auto()
    """Remove the target; its elements belong to whoever enforced that."""
    MONITOR = auto()
    """Monitor the target again, from now on."""
    ACTIVE = auto()
    """The target is active."""


@frozen
class Durations:
    """Seconds: until a claim's deadline (jittered), for the answer to a probe, and until a yield is over."""

    claim: float
    probe: float
    yielded: float


def step(
    me: int,
    state: State,
    event: Event,
    now: float,
    durations: Durations,
    gives_way: Callable[[int, int], bool] = authority.gives_way,
) -> tuple[State, tuple[Action, ...]]:
    """What an event at C{now} (monotonic seconds) does to the takeover of one target.

    @param me: our own server identifier.
    @param gives_way: C{gives_way(me, other)}: which of two claimants aborts. The RFC has the smaller one do so, rsplib
        the larger one.
    @raise ImpossibleEvent: for what cannot come in this state.
    """
    match state, event:
        case ((Claiming() | Probing() | Yielded() | Doubting()), TargetHeard()):
            # 3.5.1: stop at any point, and mark the target as active.
            return Monitored(), (Action.ACTIVE,)
        case _, Enforced(by=by, living=living):
            return _enforced(state, by, living, now + durations.probe)
        case Monitored(), Failed(peers=peers):
            if not peers:
                return Monitored(), (Action.ANNOUNCE_CLAIM, Action.ENFORCE)
            return Claiming(peers, now + durations.claim), (Action.ANNOUNCE_CLAIM,)
        case _, Claim(by=by):
            return _claimed(state, by, now + durations.yielded, gives_way(me, by))
        case Claiming(pending=pending, deadline=when), (Acknowledged(by=peer) | PeerGone(peer=peer)):
            pending -= {peer}
            return (Claiming(pending, when), ()) if pending else (Monitored(), (Action.ENFORCE,))
        case Claiming(pending=pending), TimeOut():
            return Probing(pending, frozenset(), now + durations.probe), (Action.PROBE,)
        case Probing(pending=pending, alive=alive, deadline=when), (Acknowledged(by=peer) | PeerGone(peer=peer)):
            pending, alive = pending - {peer}, alive - {peer}
            return (Probing(pending, alive, when), ()) if pending else (Monitored(), (Action.ENFORCE,))
        case Probing(pending=pending, alive=alive, deadline=when), Heard(peer=peer) if peer in pending:
            return Probing(pending, alive | {peer}, when), ()
        case Probing(alive=alive), TimeOut():
            # Who fails the probe counts as having acknowledged; who lives and does not agree stops us, for now.
            return (Monitored(), (Action.MONITOR,)) if alive else (Monitored(), (Action.ENFORCE,))
        case Yielded(), TimeOut():
            return Monitored(), (Action.MONITOR,)
        case Doubting(), TimeOut():
            return Monitored(), (Action.HAND_OVER,)
        case Yielded(to=to), PeerGone(peer=peer) if peer == to:
            return Monitored(), (Action.MONITOR,)
        case ((Monitored() | Yielded() | Doubting()), Acknowledged()):
            # Of a claim that is over, or that nobody made.
            return state, ()
        case ((Claiming() | Probing() | Yielded() | Doubting()), (Heard() | PeerGone())):
            # It plays no part here.
            return state, ()
        case _:
            raise ImpossibleEvent(state, event)


def _claimed(state: State, by: int, until: float, greater: bool) -> tuple[State, tuple[Action, ...]]:
    """3.5.1: another registrar claims the target."""
    match state:
        case Monitored():
            # (3): not in our own takeover: acknowledge.
            return Yielded(by, until), (Action.ACKNOWLEDGE,)
        case Yielded(deadline=when):
            return Yielded(by, when), (Action.ACKNOWLEDGE,)
        case Doubting():
            return state, (Action.ACKNOWLEDGE,)
    # (2): of two claimants, the one with the smaller ID aborts.
    return (Yielded(by, until), (Action.ACKNOWLEDGE,)) if greater else (state, ())


def _enforced(state: State, by: int, living: bool, answer_by: float) -> tuple[State, tuple[Action, ...]]:
    """3.5.2: another registrar took the target over; one that speaks with us is asked first."""
    if not living:
        return Monitored(), (Action.HAND_OVER,)
    return (state, ()) if isinstance(state, Doubting) else (Doubting(by, answer_by), (Action.ASK,))


def deadline(state: State) -> float | None:
    """When L{TimeOut} is due in this state (monotonic seconds), or None."""
    match state:
        case Claiming(deadline=when) | Probing(deadline=when) | Yielded(deadline=when) | Doubting(deadline=when):
            return when
        case Monitored():
            return None
