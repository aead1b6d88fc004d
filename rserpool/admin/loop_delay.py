"""How late the loop comes to what is due: somebody has kept it for so long."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

from rserpool.admin.metrics import Classes, Metric

EVERY: Final = 0.5
"""Seconds between two looks."""
BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopDelay:
    """Looks at the clock now and then.

    @ivar last: how late the last look came, in seconds.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0
        self._due = 0.0
        self._timer: Any = None
        self.last = 0.0

    def start(self) -> None:
        """Begin."""
        self._due = self._reactor.seconds() + EVERY
        self._timer = self._reactor.callLater(EVERY, self._look)

    def stop(self) -> None:
        """Look no more."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def metric(self) -> Metric:
        """What was seen so far."""
        classes = Classes(BOUNDS, tuple(self._counts), self._total)
        text = "How late the loop came to what was due, seen twice a second."
        return Metric("histogram", "rserpool_loop_delay_seconds", text, classes=classes)

    def _look(self) -> None:
        self.last = max(0.0, self._reactor.seconds() - self._due)
        self._counts[bisect_left(BOUNDS, self.last)] += 1
        self._total += self.last
        self.start()
