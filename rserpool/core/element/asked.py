"""How often the home registrar asks whether an element lives (RFC 5352 section 3.5): less often where it has many.

Who is asked hears of its registrar each time. So SCTP's heartbeats, which would show the same, may become as rare as
keep-alives do; else those of ten thousand elements would keep a registrar busy that asks each every few seconds.
"""

from __future__ import annotations

from typing import Final

from rserpool.core.effects import Effect, Notify
from rserpool.core.element.events import AskedEvery

LAST: Final = 0.3
"""So much of the mean is the last interval: each may be moved by up to 50 %."""
MOVED: Final = 1.5
"""By so much at most. One that is longer shows at once that they are: each would be asked for a minute else."""
CHANGE: Final = 0.3
"""It is told when it has changed by this part."""


class Asked:
    """
    @param usual: mean seconds between two keep-alives, as the profile has it.
    """

    def __init__(self, usual: float) -> None:
        self._usual = self._mean = self._told = usual
        self._last: float | None = None

    def forget(self) -> list[Effect]:
        """There is another registrar, or none."""
        self._mean, self._last = self._usual, None
        return self._tell()

    def heard(self, now: float) -> list[Effect]:
        """A keep-alive came."""
        if self.as_usual(now):
            return []
        self._mean, self._last = self._next(now), now
        return self._tell()

    def as_usual(self, now: float) -> bool:
        """A keep-alive came; if there is something to tell for that it is False, and L{heard} does so."""
        mean = self._next(now)
        if abs(mean - self._told) > CHANGE * self._told and max(mean, self._usual) != self._told:
            return False
        self._mean, self._last = mean, now
        return True

    def _next(self, now: float) -> float:
        if self._last is None:
            return self._mean
        last = now - self._last
        return max(self._mean + LAST * (last - self._mean), last / MOVED)

    def _tell(self) -> list[Effect]:
        seconds = max(self._mean, self._usual)
        if seconds == self._told:
            return []
        self._told = seconds
        return [Notify(AskedEvery(seconds))]
