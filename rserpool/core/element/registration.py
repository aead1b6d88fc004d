"""Registration of one element in one pool, as the element sees it (RFC 5352 sections 3.1 and 3.2).

The element owns its desired state: whatever is lost, it registers again until it is told to leave.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from rserpool.core.backoff import Backoff
from rserpool.core.element.states import (
    Changed as Changed,
)
from rserpool.core.element.states import (
    Deregistered as Deregistered,
)
from rserpool.core.element.states import (
    Drain as Drain,
)
from rserpool.core.element.states import (
    Draining as Draining,
)
from rserpool.core.element.states import (
    Event as Event,
)
from rserpool.core.element.states import (
    Gone as Gone,
)
from rserpool.core.element.states import (
    Granted as Granted,
)
from rserpool.core.element.states import (
    HomeFound as HomeFound,
)
from rserpool.core.element.states import (
    Homeless as Homeless,
)
from rserpool.core.element.states import (
    HomeLost as HomeLost,
)
from rserpool.core.element.states import (
    Leaving as Leaving,
)
from rserpool.core.element.states import (
    LeavingHomeless as LeavingHomeless,
)
from rserpool.core.element.states import (
    Member as Member,
)
from rserpool.core.element.states import (
    Postponed as Postponed,
)
from rserpool.core.element.states import (
    Refused as Refused,
)
from rserpool.core.element.states import (
    Registering as Registering,
)
from rserpool.core.element.states import (
    Rejection as Rejection,
)
from rserpool.core.element.states import (
    Serve as Serve,
)
from rserpool.core.element.states import (
    State as State,
)
from rserpool.core.element.states import (
    Stop as Stop,
)
from rserpool.core.element.states import (
    TimeOut as TimeOut,
)
from rserpool.core.errors import CauseCode, ImpossibleEvent
from rserpool.core.frozen import frozen


class Action(Enum):
    """What the caller must do."""

    REGISTER = auto()
    """Send ASAP_REGISTRATION to the home registrar."""
    DEREGISTER = auto()
    """Send ASAP_DEREGISTRATION to the home registrar."""
    HUNT = auto()
    """The home registrar does not answer: find another (3.6)."""
    HUNT_ELSEWHERE = auto()
    """It refuses for now: let it rest, and find another (3.6)."""
    NEW_IDENTIFIER = auto()
    """Draw another PE identifier, if the user did not choose it."""
    RESTORE = auto()
    """Go back to the values that were granted last."""
    TELL_REGISTERED = auto()
    TELL_REFUSED = auto()
    TELL_POSTPONED = auto()
    TELL_UNANSWERED = auto()
    TELL_LEFT = auto()
    TELL_DRAINING = auto()


@frozen
class Timers:
    """T2, T3 and T4 in seconds (RFC 5352 section 7.1)."""

    t2: float
    t3: float
    t4: float


PAUSES = Backoff(0.5, 10.0)
"""How long a registration that is refused for now is postponed."""
_PASSING = frozenset({CauseCode.NON_UNIQUE_PE_IDENTIFIER, CauseCode.LACK_OF_RESOURCES})
_OF_OTHERS = frozenset(
    {
        CauseCode.REJECTED_FOR_SECURITY,
        CauseCode.INCONSISTENT_POOLING_POLICY,
        CauseCode.INCONSISTENT_TRANSPORT_TYPE,
        CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION,
        CauseCode.INVALID_VALUES,
    }
)
"""What is refused so though it was granted before is refused because of others, who made the pool another one, or have
not told this registrar yet who may serve in it; or because there is no way now to an address that is ours. It may be
corrected without us."""


def step(state: State, event: Event, now: float, timers: Timers) -> tuple[State, tuple[Action, ...]]:
    """What an event at C{now} (monotonic seconds) does to the registration.

    @raise ImpossibleEvent: if only our own mistake can cause it: a registrar's answer is heard at home alone, a
        deadline passes where there is one, and who is gone hears nothing.
    """
    match event:
        case Stop() | Changed():
            return _wanted(state, event, now, timers)
        case Drain() | Serve():
            return _drained(state, event, now, timers)
        case HomeFound() | HomeLost():
            return _moved(state, event, now, timers)
        case Granted() | Rejection() | Deregistered():
            return _answered(state, event, now, timers)
        case TimeOut():
            return _late(state, event, now, timers)


def _wanted(state: State, event: Stop | Changed, now: float, timers: Timers) -> tuple[State, tuple[Action, ...]]:
    """Our user wants something else."""
    match event, state:
        case Stop(), Registering() | Member() | Refused(held=float()) | Postponed(held=float()):
            return Leaving(now + timers.t3), (Action.DEREGISTER,)
        case Stop(), Homeless(known=True):
            # Deregister at whichever registrar the hunt finds.
            return LeavingHomeless(), ()
        case Stop(), Homeless() | Refused() | Postponed():
            return Gone(), (Action.TELL_LEFT,)
        case Changed(), Member() | Refused():
            return Registering(now + timers.t2, held=_held(state)), (Action.REGISTER,)
        case Changed(), Registering():
            return replace(state, changed=True), ()
        case Stop(), Draining() | Leaving(stays=True):
            # Its home looks after it no longer.
            return Leaving(now + timers.t3), (Action.DEREGISTER,)
        case Stop(), LeavingHomeless(stays=True):
            return LeavingHomeless(), ()
        case Stop(), Leaving() | LeavingHomeless():
            return state, ()
        case Changed(), Homeless() | Postponed() | Leaving() | LeavingHomeless() | Draining():
            # The next registration has the new values, if there is one.
            return state, ()
    raise ImpossibleEvent(state, event)


def _drained(state: State, event: Drain | Serve, now: float, timers: Timers) -> tuple[State, tuple[Action, ...]]:
    """An operator wants something else."""
    match event, state:
        case Drain(), Registering() | Member() | Refused() | Postponed():
            return Leaving(now + timers.t3, True), (Action.DEREGISTER,)
        case Drain(), Homeless():
            return LeavingHomeless(True), ()
        case Serve(), Draining() | Leaving(stays=True):
            # What is answered to the deregistration yet comes before the grant.
            return Registering(now + timers.t2), (Action.REGISTER,)
        case Serve(), LeavingHomeless(stays=True):
            return Homeless(True), ()
        case _, Gone():
            raise ImpossibleEvent(state, event)
    return state, ()


def _moved(state: State, event: HomeFound | HomeLost, now: float, timers: Timers) -> tuple[State, tuple[Action, ...]]:
    """There is another home registrar, or none."""
    match event, state:
        case HomeFound(), Leaving(stays=stays) | LeavingHomeless(stays=stays):
            # 3.2: after establishing a new home, the deregistration restarts.
            return Leaving(now + timers.t3, stays), (Action.DEREGISTER,)
        case HomeFound(), Draining():
            return Leaving(now + timers.t3, True), (Action.DEREGISTER,)
        case HomeFound(), Homeless(known=known):
            # 3.1: after establishing a new home, the registration restarts.
            return Registering(now + timers.t2, held=now if known else None), (Action.REGISTER,)
        case HomeFound(), Registering() | Member() | Refused() | Postponed():
            return Registering(now + timers.t2, held=_held(state)), (Action.REGISTER,)
        case HomeLost(), Registering() | Member() | Refused(held=float()) | Postponed(held=float()):
            return Homeless(known=True), ()
        case HomeLost(), Refused() | Postponed():
            return Homeless(), ()
        case HomeLost(), Leaving(stays=stays):
            return LeavingHomeless(stays), ()
        case HomeLost(), Draining():
            return LeavingHomeless(True), ()
        case HomeLost(), Homeless() | LeavingHomeless():
            return state, ()
    raise ImpossibleEvent(state, event)


def _answered(
    state: State, event: Granted | Rejection | Deregistered, now: float, timers: Timers
) -> tuple[State, tuple[Action, ...]]:
    """The home registrar says something, asked or not."""
    match event, state:
        case Granted(), Registering(changed=True):
            return Registering(now + timers.t2, held=now + timers.t4), (Action.REGISTER,)
        case Granted(), Registering() | Member() | Postponed():
            return Member(now + timers.t4), (Action.TELL_REGISTERED,)
        case Rejection(cause, others, granted), Registering() | Member() | Postponed():
            held = _held(state)
            if cause not in _PASSING and not (granted and cause in _OF_OTHERS):
                # 3.1: never re-attempt without correcting the error.
                if not others:
                    return Refused(cause, held), (Action.TELL_REFUSED,)
                if isinstance(state, Registering) and state.changed:
                    return Registering(now + timers.t2, held=held), (Action.TELL_REFUSED, Action.REGISTER)
                if held is None:
                    return Registering(now + timers.t2), (Action.RESTORE, Action.TELL_REFUSED, Action.REGISTER)
                return Member(held), (Action.RESTORE, Action.TELL_REFUSED)
            last = 0.0 if isinstance(state, Member) else state.pause
            pause = PAUSES.after(last)
            actions = (Action.TELL_POSTPONED,) if pause > last else ()
            if cause == CauseCode.NON_UNIQUE_PE_IDENTIFIER:
                # 3.1: re-attempt after correcting the error.
                actions, held = (Action.NEW_IDENTIFIER, *actions), None
            return Postponed(now + pause, pause, held), actions
        case Rejection(CauseCode.LACK_OF_RESOURCES), Leaving(stays=stays):
            # Not ready, or too busy: another registrar may do it sooner.
            return LeavingHomeless(stays), (Action.HUNT_ELSEWHERE,)
        case Deregistered(), Leaving(stays=stays):
            return (Draining(), (Action.TELL_DRAINING,)) if stays else (Gone(), (Action.TELL_LEFT,))
        case Deregistered(), Member():
            # 3.2: our registration life ended; we still want to serve.
            return Registering(now + timers.t2), (Action.REGISTER,)
        case Deregistered(), Refused(held=float()):
            return replace(state, held=None), ()
        case _, Refused():
            return state, ()
        case Deregistered(), Registering(held=float()) | Postponed(held=float()):
            # We register already.
            return replace(state, held=None), ()
        case Deregistered(), Registering() | Postponed():
            return state, ()
        case Granted() | Rejection(), Leaving() | Draining():
            # Of the last registration.
            return state, ()
        case Deregistered(), Draining():
            return state, ()
    raise ImpossibleEvent(state, event)


def _late(state: State, event: TimeOut, now: float, timers: Timers) -> tuple[State, tuple[Action, ...]]:
    """T2, T3 or T4, or the end of a postponement."""
    match state:
        case Registering():
            # 3.1: T2 expired: start the server hunt.
            return Homeless(known=True), (Action.HUNT,)
        case Leaving(stays=stays):
            # 3.2: T3 expired: start the server hunt.
            return LeavingHomeless(stays), (Action.HUNT,)
        case Member():
            return Registering(now + timers.t2, held=_held(state)), (Action.REGISTER,)
        case Postponed(pause=pause, held=held):
            return Registering(now + timers.t2, pause=pause, held=held), (Action.REGISTER,)
    raise ImpossibleEvent(state, event)


def _held(state: Registering | Member | Refused | Postponed) -> float | None:
    """When the registration that stands is to be renewed; None if none stands."""
    return state.again_at if isinstance(state, Member) else state.held


def stands(state: State) -> bool:
    """Whether a registration stands, as far as the element knows: also while it changes, or the change was refused."""
    return isinstance(state, Registering | Member | Refused | Postponed) and _held(state) is not None


def drains(state: State) -> bool:
    """Whether it is to drain."""
    return isinstance(state, Draining) or (isinstance(state, Leaving | LeavingHomeless) and state.stays)


def deadline(state: State) -> float | None:
    """When L{TimeOut} is due in this state (monotonic seconds), or None."""
    match state:
        case Registering(answer_by=when) | Leaving(answer_by=when):
            return when
        case Member(again_at=when) | Postponed(again_at=when):
            return when
        case _:
            return None
