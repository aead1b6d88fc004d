"""Whether an element that owes an answer is late with it (RFC 5352 section 3.5; RFC 9260 section 8.3)."""

from __future__ import annotations

LATE = 0.01
"""Seconds after which an answer is late: worth asking the transport whether the element is still there."""
SOON = 5
"""So often it is asked each L{LATE} seconds: a killed process may take some milliseconds to be gone, and is there as
long. Then after twice as long each time."""


class Lateness:
    """The clock of one connection.

    @param silence: seconds after which silence is a failure; None for never.
    """

    __slots__ = ("_asked", "_heard", "_late", "_patience", "silence")

    def __init__(self, silence: float | None) -> None:
        self.silence = silence
        self._heard = 0.0
        self._late: float | None = None
        self._patience = LATE
        self._asked = 0

    def heard(self, now: float) -> None:
        """The element has said something, or begins to owe something."""
        self._heard = now
        self._late = None

    def silent(self, now: float) -> bool:
        """Whether it has been silent for too long."""
        return self.silence is not None and now >= self._heard + self.silence

    def late(self, now: float) -> bool:
        """Whether it is late: noticed again and again."""
        if self._late is None:
            self._late, self._patience, self._asked = self._heard + LATE, LATE, 0
        if now < self._late:
            return False
        self._asked += 1
        if self._asked >= SOON:
            self._patience *= 2
        self._late = now + self._patience
        return True

    def next_deadline(self) -> float:
        """When to ask again, as long as an answer is owed (monotonic seconds)."""
        late = self._heard + LATE if self._late is None else self._late
        return late if self.silence is None else min(late, self._heard + self.silence)
