"""A job of CalcApp at its user: who is asked, and when the element has failed. Messages and time go in, effects out."""

from __future__ import annotations

from typing import TypeAlias

from rserpool.core.errors import WireError
from rserpool.services.calcapp.messages import CalcApp, Kind
from rserpool.services.wants import Completed, Elsewhere, Say

PAUSE = 0.25
"""Seconds before the next element is asked after one has no room, doubling up to L{LONGEST_PAUSE}."""
LONGEST_PAUSE = 2.0


Effect: TypeAlias = Say | Elsewhere | Completed


class Job:
    """One job. All times are monotonic seconds.

    @param number: the job's own number, 32 bits.
    @param size: its calculations.
    @param keep_alive: after so many seconds without a word the element is asked whether it is there,
    @param timeout: and has so many to say so.
    """

    def __init__(self, number: int, size: int, *, keep_alive: float = 2.5, timeout: float = 2.5) -> None:
        self._number = number
        self._size = size
        self._keep_alive = keep_alive
        self._timeout = timeout
        self._heard_by: float | None = None
        self._accepted = self._asked = False
        self._again: float | None = None
        self._pause = PAUSE

    def served(self, resumed: bool, now: float) -> list[Effect]:
        """An element serves.

        @param resumed: whether it was given the state that another one left.
        """
        self._accepted, self._asked, self._again = False, False, None
        self._heard_by = now + self._timeout
        # A cookie says all that a request does; but elements of rsplib look at it only when something comes after it.
        kind, size = (Kind.KEEP_ALIVE, 0) if resumed else (Kind.REQUEST, self._size)
        return [Say(CalcApp(kind, self._number, size).encode())]

    def receive(self, data: bytes, now: float) -> list[Effect]:
        """A message came."""
        try:
            message = CalcApp.decode(data)
        except WireError as error:
            return self._leave(str(error), strange=True)
        if message.job != self._number or self._again is not None:
            return []
        match message.kind:
            case Kind.REJECT if not self._accepted:
                self._heard_by, self._again = None, now + self._pause
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                return []
            case Kind.REJECT | Kind.ABORT:
                return self._leave("it gave the job up")
            case Kind.COMPLETE:
                self._heard_by = None
                return [Completed()]
            case Kind.ACCEPT:
                self._accepted, self._pause = True, PAUSE
        self._asked, self._heard_by = False, now + self._keep_alive
        return [Say(CalcApp(Kind.KEEP_ALIVE_ACK, self._number).encode())] if message.kind is Kind.KEEP_ALIVE else []

    def tick(self, now: float) -> list[Effect]:
        """Time went by."""
        if self._again is not None:
            if now < self._again:
                return []
            self._again = None
            return [Elsewhere("it has no room", failed=False)]
        if self._heard_by is None or now < self._heard_by:
            return []
        if self._asked or not self._accepted:
            return self._leave(f"it has said nothing for {self._timeout:g} s")
        self._asked, self._heard_by = True, now + self._timeout
        return [Say(CalcApp(Kind.KEEP_ALIVE, self._number).encode())]

    def next_deadline(self) -> float | None:
        """When L{tick} is due; None for never."""
        return self._heard_by if self._again is None else self._again

    def _leave(self, why: str, strange: bool = False) -> list[Effect]:
        self._heard_by = self._again = None
        return [Elsewhere(why, failed=True, strange=strange)]
