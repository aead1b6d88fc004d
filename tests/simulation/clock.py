"""Time in a simulation: what each process sees of the one clock of the whole network."""

from __future__ import annotations

from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from rserpool.testing import Timeline

GRAIN = 1e-7
"""Timers of a process fire so many seconds late, rather than a rounding error early."""


@implementer(IReactorTime)
class ProcessClock:
    """The monotonic clock and the timers of one process: the clock may drift, or stand still, and the loop may stall.

    What comes to a process whose loop stands still waits; when the loop goes on, timers run first, as in a reactor.
    """

    def __init__(self, timeline: Timeline, epoch: float) -> None:
        self._timeline = timeline
        self._rate = 1.0
        self._local = epoch
        self._since = timeline.seconds()
        self._timers: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
        self._input: list[tuple[Any, tuple[Any, ...]]] = []
        self.stalled = False
        self.dead = False

    def seconds(self) -> float:
        """Its monotonic time."""
        return self._local + (self._timeline.rightNow - self._since) * self._rate

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> DelayedCall:  # noqa: A002
        """See L{IReactorTime.callLater}."""
        return self._timeline.callLater(delay / self._rate + GRAIN, self._fire, callable, args, kw)

    def getDelayedCalls(self) -> list[DelayedCall]:
        """See L{IReactorTime.getDelayedCalls}."""
        return self._timeline.getDelayedCalls()

    def drift(self, rate: float) -> None:
        """From now on the clock runs so many times as fast."""
        self._local, self._since = self.seconds(), self._timeline.rightNow
        self._rate = rate

    def enter(self, function: Any, *arguments: Any) -> None:
        """Something comes from outside."""
        if self.stalled:
            self._input.append((function, arguments))
        elif not self.dead:
            function(*arguments)

    def stall(self) -> None:
        """The loop stands still."""
        self.stalled = True

    def resume(self, lost: float = 0.0) -> None:
        """The loop goes on; the clock stood still for C{lost} seconds."""
        self._local -= lost * self._rate
        self.stalled = False
        timers, self._timers = self._timers, []
        for function, arguments, keywords in timers:
            function(*arguments, **keywords)
        waiting, self._input = self._input, []
        for function, arguments in waiting:
            self.enter(function, *arguments)

    def die(self) -> None:
        """The process is no more."""
        self.dead = True
        self.stalled = False
        self._timers.clear()
        self._input.clear()

    def _fire(self, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if self.stalled:
            self._timers.append((function, arguments, keywords))
        elif not self.dead:
            function(*arguments, **keywords)
