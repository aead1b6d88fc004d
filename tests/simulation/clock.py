"""Time in a simulation: one clock for the whole network, and what each process sees of it."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

GRAIN = 1e-7
"""Timers of a process fire so many seconds late, rather than a rounding error early."""


class Timeline(Clock):
    """A L{Clock} that goes from deadline to deadline, with a heap beneath it: thousands of calls cost little."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[float, int, DelayedCall]] = []
        self._sequence = count()

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> DelayedCall:  # noqa: A002
        call = DelayedCall(self.rightNow + delay, callable, args, kw, self._cancelled, self._moved, self.seconds)
        heappush(self._heap, (call.time, next(self._sequence), call))
        return call

    def getDelayedCalls(self) -> list[DelayedCall]:
        return [call for when, _, call in sorted(self._heap[:]) if self._stands(when, call)]

    def step(self, end: float) -> bool:
        """Go to the next deadline, unless it comes after C{end}; whether there was one."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            when, _, call = heappop(heap)
            if self._stands(when, call):
                self.rightNow = max(self.rightNow, when)
                call.called = 1
                call.func(*call.args, **call.kw)
                return True
        return False

    def run(self, end: float) -> None:
        """Go through all deadlines up to C{end}."""
        while self.step(end):
            pass
        self.rightNow = max(self.rightNow, end)

    def advance(self, amount: float) -> None:
        self.run(self.rightNow + amount)

    @staticmethod
    def _stands(when: float, call: DelayedCall) -> bool:
        return not call.cancelled and not call.called and call.getTime() == when

    def _cancelled(self, call: DelayedCall) -> None:
        """It is skipped when its time comes."""

    def _moved(self, call: DelayedCall) -> None:
        heappush(self._heap, (call.getTime(), next(self._sequence), call))


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
