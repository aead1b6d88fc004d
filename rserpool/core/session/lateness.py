"""Whether an element that owes an answer is late with it (RFC 5352 section 3.5; RFC 9260 section 8.3)."""

from __future__ import annotations

from typing import Final

from rserpool.core.deadlines import Deadlines
from rserpool.core.session.retired import Retired

LATE = 0.01
"""Seconds after which an answer is late: worth asking the transport whether the element is still there."""
SOON = 5
"""So often it is asked each L{LATE} seconds: a killed process may take some milliseconds to be gone, and is there as
long. Then after twice as long each time."""
LATENESS: Final = "lateness"
"""The key of its deadline."""


class Lateness:
    """The clock of one connection.

    Its deadline may come too early: what is heard meanwhile is cheaper noted than a deadline moved.

    @param silence: seconds after which silence is a failure; None for never.
    """

    __slots__ = ("_asked", "_at", "_deadlines", "_heard", "_late", "_patience", "silence")

    def __init__(self, deadlines: Deadlines[int | str | Retired], silence: float | None) -> None:
        self.silence = silence
        self._deadlines = deadlines
        self._at = 0.0
        self._heard = 0.0
        self._late: float | None = None
        self._patience = LATE
        self._asked = 0

    def heard(self, now: float) -> None:
        """The element has said something."""
        self._heard = now
        if self._late is not None:
            self.owes(now)

    def owes(self, now: float) -> None:
        """The element begins to owe something."""
        self._heard = now
        self._late = None
        if not now < self._at <= now + LATE:
            self._look(now + LATE)

    def silent(self, now: float) -> bool:
        """Whether it has been silent for too long; else see L{late}."""
        return self.silence is not None and now >= self._heard + self.silence

    def late(self, now: float) -> bool:
        """The deadline has come, and something is owed: whether it is late. It is noticed again and again."""
        if self._late is None:
            self._late, self._patience, self._asked = self._heard + LATE, LATE, 0
        late = now >= self._late
        if late:
            self._asked += 1
            if self._asked >= SOON:
                self._patience *= 2
            self._late = now + self._patience
        self._look(self._late)
        return late

    def forget(self) -> None:
        """Nothing is owed any more."""
        self._at = 0.0
        self._deadlines.cancel(LATENESS)

    def _look(self, when: float) -> None:
        self._at = when if self.silence is None else min(when, self._heard + self.silence)
        self._deadlines.set(LATENESS, self._at)
