"""How a session finds an element, and the next one when that fails (RFC 5352 sections 3.5, 3.8 and 6.5.1).

A pure state machine: which element is tried, for how long, and when there is no hope any more. Elements are known by
their PE identifiers; what is said to them is L{rserpool.core.session.session}'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Timers:
    """All in seconds.

    @ivar attempt: how long one element may take to accept, and to say hello.
    @ivar patience: how long the session may be without an element.
    @ivar proof: after so long a connection has proved itself, even if nothing came over it.
    """

    attempt: float = 1.0
    patience: float = 30.0
    first_pause: float = 0.05
    longest_pause: float = 1.0
    proof: float = 1.0


# States


@dataclass(frozen=True, slots=True)
class Resolving:
    """The registrar, or the cache, is asked.

    @ivar deadline: when the session ends without an element.
    @ivar pause: how long to wait if this fails.
    @ivar fresh: whether the registrar itself must answer.
    """

    deadline: float
    pause: float
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Connecting:
    """An element is dialled; C{rest} are the next ones."""

    element: int
    rest: tuple[int, ...]
    until: float
    deadline: float
    pause: float


@dataclass(frozen=True, slots=True)
class Unproven:
    """The session is at an element that has not been of use yet: it may be one that closes each time."""

    element: int
    rest: tuple[int, ...]
    until: float
    deadline: float
    pause: float


@dataclass(frozen=True, slots=True)
class Serving:
    """The session is at an element."""

    element: int


@dataclass(frozen=True, slots=True)
class Pausing:
    """Nobody could be used; all of them again in a while."""

    until: float
    deadline: float
    pause: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over."""


State: TypeAlias = Resolving | Connecting | Unproven | Serving | Pausing | Ended

# Events


@dataclass(frozen=True, slots=True)
class Candidates:
    """Elements in the order in which to try them; perhaps none."""

    elements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The pool could not be resolved."""


@dataclass(frozen=True, slots=True)
class Hopeless:
    """Nobody will come whom this session may use."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The element has accepted, and said hello."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt, or the connection, failed."""


@dataclass(frozen=True, slots=True)
class Left:
    """The element cannot be used, or took its leave; it is not broken."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The element has been of use."""


@dataclass(frozen=True, slots=True)
class TimeOut:
    """The state's deadline has come."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The application wants no more."""


Event: TypeAlias = Candidates | Unresolved | Hopeless | Connected | Failed | Left | Progress | TimeOut | Stop


class Action(Enum):
    """What the caller must do, in order."""

    RESOLVE = auto()
    RESOLVE_FRESH = auto()
    CONNECT = auto()
    HANG_UP = auto()
    """Abort the connection, or the attempt."""
    REPORT = auto()
    """RFC 5352 section 3.5: tell the registrar that the element is unreachable."""
    START = auto()
    """The first messages: the cookie, the business card, what waits."""
    SAY_GOODBYE = auto()
    """Close the connection gracefully."""
    END = auto()
    """Tell the application that the session is over."""


Actions: TypeAlias = tuple[Action, ...]


def begin(now: float, timers: Timers) -> tuple[State, Actions]:
    """A new session."""
    return Resolving(now + timers.patience, timers.first_pause), (Action.RESOLVE,)


def deadline(state: State) -> float | None:
    """When L{TimeOut} is due (monotonic seconds), or None."""
    match state:
        case Resolving(deadline=when) | Connecting(until=when) | Unproven(until=when) | Pausing(until=when):
            return when
        case _:
            return None


def step(state: State, event: Event, now: float, timers: Timers) -> tuple[State, Actions]:
    """The next state, and what is to be done."""
    match state, event:
        case (Ended(), _):
            return state, ()
        case (Serving() | Unproven(), Stop()):
            return Ended(), (Action.SAY_GOODBYE,)
        case (Connecting(), Stop()):
            return Ended(), (Action.HANG_UP,)
        case (_, Stop()):
            return Ended(), ()
        case (Resolving() | Pausing(), Hopeless()):
            return Ended(), (Action.END,)
        case (_, Hopeless()):
            return Ended(), (Action.HANG_UP, Action.END)
        case (Resolving(), Candidates(elements=(first, *rest))):
            return _connect(first, tuple(rest), state.deadline, state.pause, now, timers)
        case (Resolving(), Candidates() | Unresolved() | TimeOut()):
            return _pause(state.deadline, state.pause, now, timers)
        case (Connecting(), Connected()):
            return Unproven(state.element, state.rest, now + timers.proof, state.deadline, state.pause), (Action.START,)
        case (Connecting(), Failed()):
            # 3.5: a user that cannot reach an element reports it.
            return _next(state, (Action.REPORT,), now, timers)
        case (Connecting(), TimeOut()):
            return _next(state, (Action.HANG_UP, Action.REPORT), now, timers)
        case (Connecting(), Left()):
            return _next(state, (), now, timers)
        case (Unproven(), Failed()):
            return _next(state, (Action.REPORT,), now, timers)
        case (Unproven(), Left()):
            return _next(state, (), now, timers)
        case (Unproven(), Progress() | TimeOut()):
            return Serving(state.element), ()
        case (Serving(), Failed() | Left()):
            report = (Action.REPORT,) if isinstance(event, Failed) else ()
            after, actions = begin(now, timers)
            return after, (*report, *actions)
        case (Pausing(), TimeOut()):
            return Resolving(state.deadline, state.pause, True), (Action.RESOLVE_FRESH,)
        case _:
            return state, ()


def _connect(
    element: int, rest: tuple[int, ...], deadline: float, pause: float, now: float, timers: Timers
) -> tuple[State, Actions]:
    return Connecting(element, rest, now + timers.attempt, deadline, pause), (Action.CONNECT,)


def _next(state: Connecting | Unproven, first: Actions, now: float, timers: Timers) -> tuple[State, Actions]:
    if state.rest and now < state.deadline:
        after, actions = _connect(state.rest[0], state.rest[1:], state.deadline, state.pause, now, timers)
    else:
        after, actions = _pause(state.deadline, state.pause, now, timers)
    return after, (*first, *actions)


def _pause(deadline: float, pause: float, now: float, timers: Timers) -> tuple[State, Actions]:
    if now + pause >= deadline:
        return Ended(), (Action.END,)
    return Pausing(now + pause, deadline, min(2 * pause, timers.longest_pause)), ()


def in_order(state: State, elements: tuple[int, ...]) -> State:
    """The same state, in which those that are still to be tried are tried in this order, and no others."""
    if isinstance(state, Connecting | Unproven):
        return replace(state, rest=tuple(each for each in elements if each in state.rest))
    return state
