"""How far a session is on its way from element to element (RFC 5352 sections 3.5, 3.8 and 6.5.1).

A pure state machine. Whom it tries next, and when it gives up, L{rserpool.core.user.trying} says: its steps are events
here. What is said to an element is L{rserpool.core.session.pool_session}'s.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TypeAlias

from rserpool.core.errors import ImpossibleEvent, RSerPoolError
from rserpool.core.frozen import frozen
from rserpool.core.session.traits import Traits
from rserpool.core.user.trying import Ask, Attempt, GiveUp, Pause, Report
from rserpool.core.wire.parameters import PoolElementParameter

PROOF = 1.0
"""Seconds after which a connection has proved itself, even if nothing came over it."""


# States. Deadlines are monotonic seconds.


@frozen
class Seeking:
    """What comes next is to be asked: no session stays here."""


@frozen
class Resolving:
    """The registrar, or the cache, is asked.

    @ivar fresh: whether the registrar itself must answer.
    """

    until: float
    fresh: bool


@frozen
class Connecting:
    """An element is dialled."""

    until: float


@frozen
class Unproven:
    """The session is at an element that has not been of use yet: it may be one that closes each time."""

    until: float


@frozen
class Serving:
    """The session is at an element."""


@frozen
class Pausing:
    """Nobody could be used; all of them again in a while."""

    until: float


@frozen
class Ended:
    """The session is over."""


State: TypeAlias = Seeking | Resolving | Connecting | Unproven | Serving | Pausing | Ended

# Events, beside the steps of the search


@frozen
class Found:
    """The pool has these elements, in the order of its policy."""

    elements: tuple[PoolElementParameter, ...]


@frozen
class NotFound:
    """The pool could not be resolved."""

    error: RSerPoolError


@frozen
class Connected:
    """The element has accepted, and said hello."""

    traits: Traits


@frozen
class LinkLost:
    """The attempt failed, or the element is gone.

    @ivar broken: whether the registrar should hear of it; else it took its leave, or cannot be used here.
    """

    why: str
    broken: bool = True


@frozen
class Progress:
    """The element has been of use."""


@frozen
class TimeOut:
    """The state's deadline has come."""


@frozen
class Stop:
    """The application wants no more."""


Event: TypeAlias = (
    Ask | Attempt | Report | Pause | GiveUp | Found | NotFound | Connected | LinkLost | Progress | TimeOut | Stop
)


class Action(Enum):
    """What the session must do, in order."""

    BEGIN = auto()
    """A new search begins: its time counts from now."""
    LEARN = auto()
    """Tell the search what the pool is, or that it could not be resolved."""
    BLAME = auto()
    """Tell the search that the element is of no use, and why."""
    LOSE = auto()
    """Nobody serves any more: requests that no other element may be given fail."""
    SEEK = auto()
    """Ask the search what comes next."""
    RESOLVE = auto()
    CONNECT = auto()
    HANG_UP = auto()
    """Abort the attempt."""
    REPORT = auto()
    """RFC 5352 section 3.5: tell the registrar that the element is unreachable."""
    START = auto()
    """The first messages: the cookie, the business card, what waits."""
    PROVE = auto()
    """What was tried before is forgotten."""
    SAY_GOODBYE = auto()
    """Close the connection gracefully."""
    END = auto()
    """Tell the application that the session is over."""


Actions: TypeAlias = tuple[Action, ...]


def deadline(state: State) -> float | None:
    """When L{TimeOut} is due (monotonic seconds), or None."""
    match state:
        case Resolving(until=when) | Connecting(until=when) | Unproven(until=when) | Pausing(until=when):
            return when
        case _:
            return None


def step(state: State, event: Event, now: float) -> tuple[State, Actions]:
    """The next state, and what is to be done.

    @raise ImpossibleEvent: if it cannot happen, but by a mistake of our own.
    """
    match state, event:
        # The search says what comes next
        case Seeking(), Ask(seconds, fresh):
            return Resolving(now + seconds, fresh), (Action.RESOLVE,)
        case Seeking(), Attempt(_, seconds):
            return Connecting(now + seconds), (Action.CONNECT,)
        case Seeking(), Report():
            return state, (Action.REPORT, Action.SEEK)
        case Seeking(), Pause(seconds):
            return Pausing(now + seconds), ()
        case Seeking(), GiveUp():
            return Ended(), (Action.END,)
        case Pausing(), TimeOut():
            return Seeking(), (Action.SEEK,)
        # The pool
        case Resolving(), Found() | NotFound() | TimeOut():
            return Seeking(), (Action.LEARN, Action.SEEK)
        case _, Found() | NotFound():
            # It comes after its time.
            return state, ()
        # The element
        case Connecting(), Connected():
            return Unproven(now + PROOF), (Action.START,)
        case Connecting(), LinkLost():
            # 3.5: a user that cannot reach an element reports it.
            return Seeking(), (Action.BLAME, Action.SEEK)
        case Connecting(), TimeOut():
            return Seeking(), (Action.HANG_UP, Action.BLAME, Action.SEEK)
        case Unproven(), Progress():
            return Serving(), (Action.PROVE,)
        case Serving(), Progress():
            return state, ()
        case Unproven(), TimeOut():
            return Serving(), ()
        case Unproven(), LinkLost():
            return Seeking(), (Action.LOSE, Action.BLAME, Action.SEEK)
        case Serving(), LinkLost():
            return Seeking(), (Action.LOSE, Action.BLAME, Action.BEGIN, Action.SEEK)
        # The application
        case Ended(), Stop() | LinkLost():
            return state, ()
        case Unproven() | Serving(), Stop():
            return Ended(), (Action.SAY_GOODBYE, Action.END)
        case Connecting(), Stop():
            return Ended(), (Action.HANG_UP, Action.END)
        case _, Stop():
            return Ended(), (Action.END,)
        case _:
            raise ImpossibleEvent(state, event)
