"""Initialization of a registrar: find a mentor, take its peer list and its handlespace (RFC 5353 section 3.2)."""

from __future__ import annotations

from enum import Enum, auto

from rserpool.core.errors import ImpossibleEvent
from rserpool.core.frozen import frozen


@frozen
class Searching:
    """No peer has been heard; without one by C{until} the registrar is alone."""

    until: float


@frozen
class Listing:
    """ENRP_LIST_REQUEST was sent to C{mentor}; the answer is due by C{answer_by}."""

    mentor: int
    answer_by: float
    until: float


@frozen
class Waiting:
    """Every peer that is up is not ready itself, or was silent; asked again at C{again_at}."""

    again_at: float
    until: float


@frozen
class Downloading:
    """ENRP_HANDLE_TABLE_REQUEST was sent to C{mentor}; the next response is due by C{answer_by}."""

    mentor: int
    answer_by: float
    until: float


@frozen
class Ready:
    """Initialization is completed: the registrar offers its services.

    @ivar mentor: who gave the handlespace; 0 if nobody did.
    """

    mentor: int = 0


State = Searching | Listing | Waiting | Downloading | Ready


@frozen
class PeerUp:
    """A peer is known and connected."""

    peer: int


@frozen
class PeerDown:
    """A peer is not connected any more."""

    peer: int


@frozen
class Listed:
    """ENRP_LIST_RESPONSE."""

    peer: int
    rejected: bool


@frozen
class Table:
    """ENRP_HANDLE_TABLE_RESPONSE; C{more} is its M flag."""

    peer: int
    rejected: bool
    more: bool


@frozen
class TimeOut:
    """The state's deadline has passed."""


Event = PeerUp | PeerDown | Listed | Table | TimeOut


class Action(Enum):
    """What the caller must do."""

    REQUEST_LIST = auto()
    """Send ENRP_LIST_REQUEST to the state's mentor."""
    REQUEST_TABLE = auto()
    """Send ENRP_HANDLE_TABLE_REQUEST (W=0) to the state's mentor."""
    OPEN = auto()
    """Begin to offer services."""


PAUSE = 0.5
"""Of the time for an answer: so long a registrar waits before it asks again whoever rejected it (3.2.2.2, 3.2.3)."""


def step(
    state: State, event: Event, now: float, no_response: float, others: tuple[int, ...]
) -> tuple[State, tuple[Action, ...]]:
    """What an event at C{now} (monotonic seconds) does to the initialization.

    @param no_response: MAX-TIME-NO-RESPONSE in seconds.
    @param others: the peers that are up, without the one that this event is about; backup mentors.
    @raise ImpossibleEvent: for what cannot come in this state.
    """
    match state, event:
        case ((Searching(until=until) | Waiting(until=until)), PeerUp(peer=peer)):
            return Listing(peer, now + no_response, until), (Action.REQUEST_LIST,)
        case Listing(mentor=mentor, until=until), Listed(peer=peer, rejected=False) if peer == mentor:
            # 3.2.3: after the peer list, the handlespace.
            return Downloading(mentor, now + no_response, until), (Action.REQUEST_TABLE,)
        case Downloading(mentor=mentor, until=until), Table(peer=peer, rejected=False, more=more) if peer == mentor:
            if more:
                return Downloading(mentor, now + no_response, until), (Action.REQUEST_TABLE,)
            return Ready(mentor), (Action.OPEN,)
        case Listing(mentor=mentor, until=until), (Listed(peer=peer) | PeerDown(peer=peer)) if peer == mentor:
            return _next(mentor, until, now, no_response, others)
        case Downloading(mentor=mentor, until=until), (Table(peer=peer) | PeerDown(peer=peer)) if peer == mentor:
            return _next(mentor, until, now, no_response, others)
        case ((Listing(mentor=mentor, until=until) | Downloading(mentor=mentor, until=until)), TimeOut()):
            return _next(mentor, until, now, no_response, others)
        case Searching(), TimeOut():
            # 3.2.2.1: alone in the operational scope.
            return Ready(), (Action.OPEN,)
        case Waiting(until=until), TimeOut():
            if now >= until or not others:
                # Everybody waits for everybody: whoever is first to give up becomes the others' mentor.
                return (Ready(), (Action.OPEN,)) if now >= until else (Searching(until), ())
            return Listing(others[0], now + no_response, until), (Action.REQUEST_LIST,)
        case ((Searching() | Listing() | Waiting() | Downloading()), (PeerUp() | PeerDown() | Listed() | Table())):
            # Of another than the mentor, too late, or unasked for.
            return state, ()
        case Ready(), (PeerDown() | Listed()):
            # Peers come and go, and are asked whom they know; tables are audits' now.
            return state, ()
        case _:
            raise ImpossibleEvent(state, event)


def _next(
    mentor: int, until: float, now: float, no_response: float, others: tuple[int, ...]
) -> tuple[State, tuple[Action, ...]]:
    """Another mentor, the one after this if there is one; else wait a little (3.2.2.2, 3.2.3)."""
    later = [peer for peer in others if peer > mentor]
    if later:
        return Listing(later[0], now + no_response, until), (Action.REQUEST_LIST,)
    return Waiting(min(now + PAUSE * no_response, max(until, now)), until), ()


def deadline(state: State) -> float | None:
    """When L{TimeOut} is due in this state (monotonic seconds), or None."""
    match state:
        case Searching(until=when) | Waiting(again_at=when):
            return when
        case Listing(answer_by=when) | Downloading(answer_by=when):
            return when
        case Ready():
            return None
