"""The loop of one process: timers on the common clock, and what may befall a loop and its clocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

GRAIN = 1e-7
"""Where a process's clock is not the common one, its timers fire so many seconds late, rather than a rounding error
early."""
BEGINNING = 1_750_000_000.0
"""The wall-clock time at which scopes begin, in seconds since 1970."""


@implementer(IDelayedCall)
class ProcessTimer:
    """A call that is still to come: its times are those of its process.

    What is due while the loop stands still has not come yet: as in a reactor, it may be cancelled or moved before that.
    """

    __slots__ = ("_call", "_function", "_loop")

    def __init__(self, loop: Loop, seconds: float, function: Callable[[], object]) -> None:
        self._loop = loop
        self._function = function
        self._call = loop.clock.callLater(loop.lasts(seconds), self._due)

    def getTime(self) -> float:
        """See C{IDelayedCall.getTime}."""
        return self._loop.shows(self._call.getTime())

    def active(self) -> bool:
        """See C{IDelayedCall.active}."""
        return self._call.active() or self in self._loop.late

    def cancel(self) -> None:
        """See C{IDelayedCall.cancel}."""
        if self._loop.late.pop(self, self) is not None:
            self._call.cancel()

    def delay(self, secondsLater: float) -> None:
        """See C{IDelayedCall.delay}."""
        if self in self._loop.late:
            self.reset(self.getTime() - self._loop.seconds() + secondsLater)
        else:
            self._call.delay(self._loop.lasts(secondsLater))

    def reset(self, secondsFromNow: float) -> None:
        """See C{IDelayedCall.reset}."""
        seconds = self._loop.lasts(secondsFromNow)
        if self._loop.late.pop(self, self) is None:
            self._call = self._loop.clock.callLater(seconds, self._due)
        else:
            self._call.reset(seconds)

    def come(self) -> None:
        """It is called now."""
        if not self._loop.dead:
            self._function()

    def _due(self) -> None:
        if self._loop.stalled:
            self._loop.late[self] = None
        else:
            self.come()


@implementer(IReactorTime)
class Loop:
    """The timers of one process, whose monotonic clock may drift, stand still, or begin anywhere.

    What comes to a process whose loop stands still waits; when the loop goes on, timers run first, as in a reactor.

    @param ahead: what its monotonic clock shows when the common one shows 0, in seconds.
    @ivar dead: whether the process was killed: then nothing is called any more.
    @ivar stalled: whether the loop stands still.
    @ivar clock: the common clock.
    @ivar late: the timers that were due while it stood still, as keys of a dict, in order.
    """

    def __init__(self, clock: Clock, ahead: float = 0.0) -> None:
        self.dead = False
        self.stalled = False
        self.clock = clock
        self._ahead = ahead
        self._rate = 1.0
        self._since = 0.0
        self._grain = GRAIN if ahead else 0.0
        self._wall = BEGINNING
        self.late: dict[ProcessTimer, None] = {}
        self._input: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def seconds(self) -> float:
        """Its monotonic time: that of the common clock, unless it was told otherwise."""
        now = self.clock.rightNow
        return now + self._ahead if self._rate == 1.0 else self._since + self._ahead + (now - self._since) * self._rate

    def wall(self) -> float:
        """Its wall-clock time, in seconds since 1970."""
        return self._wall + self.clock.rightNow

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> ProcessTimer:  # noqa: A002
        """See C{IReactorTime.callLater}."""
        return ProcessTimer(self, delay, partial(callable, *args, **kw) if args or kw else callable)

    def lasts(self, seconds: float) -> float:
        """How long so many seconds of its monotonic clock are on the common one, for a timer."""
        return seconds / self._rate + self._grain

    def shows(self, when: float) -> float:
        """What its monotonic clock shows when the common one shows C{when}, if nothing befalls it until then."""
        return self.seconds() + (when - self.clock.rightNow) * self._rate

    def getDelayedCalls(self) -> list[DelayedCall]:
        """Those of all processes."""
        return list(self.clock.getDelayedCalls())  # type: ignore[arg-type]

    def enter(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Something comes from outside: a message, or bytes."""
        if self.stalled:
            self._input.append((function, arguments))
        elif not self.dead:
            function(*arguments)

    def drift(self, rate: float) -> None:
        """From now on its monotonic clock runs so many times as fast."""
        now = self.clock.rightNow
        self._ahead = self.seconds() - now
        self._since, self._rate, self._grain = now, rate, GRAIN

    def jump(self, seconds: float) -> None:
        """Its wall clock is set forward by so much; or back."""
        self._wall += seconds

    def stall(self) -> None:
        """The loop stands still."""
        self.stalled = True

    def resume(self, lost: float = 0.0) -> None:
        """The loop goes on; its clocks stood still for C{lost} seconds."""
        if lost:
            self._ahead -= lost * self._rate
            self._wall -= lost
            self._grain = GRAIN
        self.stalled = False
        while self.late and not self.stalled:
            timer = next(iter(self.late))
            del self.late[timer]
            timer.come()
        waiting, self._input = self._input, []
        for function, arguments in waiting:
            self.enter(function, *arguments)

    def die(self) -> None:
        """The process is killed."""
        self.dead = True
        self.stalled = False
        self.late.clear()
        self._input.clear()
