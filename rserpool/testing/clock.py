"""Time in tests: a clock that goes from deadline to deadline, and what to do until something is so."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds of the clock that tests wait where nothing else is said."""


class Timeline(Clock):
    """A C{Clock} that goes from deadline to deadline, with a heap beneath it: thousands of calls cost little."""

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[float, int, DelayedCall]] = []
        self._sequence = count()

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> DelayedCall:  # noqa: A002
        call = DelayedCall(self.rightNow + delay, callable, args, kw, self._cancelled, self._moved, self.seconds)
        heappush(self._heap, (call.time, next(self._sequence), call))
        return call

    def getDelayedCalls(self) -> list[DelayedCall]:
        calls = {call: None for when, _, call in sorted(self._heap) if self._stands(when, call)}
        return sorted(calls, key=DelayedCall.getTime)

    def step(self, end: float) -> bool:
        """Go to the next deadline, unless it comes after C{end}; whether there was one."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            when, _, call = heappop(heap)
            if not self._stands(when, call):
                continue
            if call.delayed_time:
                # It was moved on, which is noticed only now, as in a reactor.
                call.activate_delay()
                self._moved(call)
            else:
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
        """Whether this is the entry of a call that is still to come: each move to an earlier time makes one more."""
        return not call.cancelled and not call.called and call.time == when

    def _cancelled(self, call: DelayedCall) -> None:
        """It is skipped when its time comes."""

    def _moved(self, call: DelayedCall) -> None:
        """It is due at another time than its entry says: at an earlier one, or one that is counted in by now."""
        heappush(self._heap, (call.time, next(self._sequence), call))


class Time:
    """What tests do with a clock: let it run, wait for something, take the result of a C{Deferred}.

    All times are seconds of the clock; none of them passes really.

    @ivar clock: any C{twisted.internet.task.Clock}.
    """

    clock: Clock

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.seconds()

    def advance(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        end = self.now + seconds
        while self._step(end):
            pass
        if end > self.now:
            self.clock.advance(end - self.now)

    def until(self, condition: Callable[[], object], seconds: float = PATIENCE) -> float:
        """Let time pass until something is so; how many seconds that took.

        @raise AssertionError: if it is not so within C{seconds}.
        """
        began = self.now
        while not condition():
            if not self._step(began + seconds):
                self.advance(began + seconds - self.now)
                if not condition():
                    raise AssertionError(f"it did not happen within {seconds:g} s")
        return self.now - began

    def result(self, waiting: Deferred[T], seconds: float = PATIENCE) -> T:
        """Let time pass until this has fired; its result.

        @raise AssertionError: if it has not within C{seconds}.
        @raise Exception: what it failed with.
        """
        outcome: list[Any] = []
        waiting.addBoth(outcome.append)
        self.until(lambda: outcome, seconds)
        value = outcome[0]
        if isinstance(value, Failure):
            value.raiseException()
        return value  # type: ignore[no-any-return]

    def _step(self, end: float) -> bool:
        """Go to the next deadline, unless it comes after C{end}; whether there was one."""
        clock = self.clock
        if isinstance(clock, Timeline):
            return clock.step(end)
        deadline = min((call.getTime() for call in clock.getDelayedCalls()), default=None)
        if deadline is None or deadline > end:
            return False
        clock.advance(max(0.0, deadline - clock.seconds()))
        return True
