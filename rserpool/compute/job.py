"""One job, from when it is submitted until its outcome is here."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobError, JobFailed, JobGivenUp, JobLost, JobTimeout, NoWorkers
from rserpool.core.errors import RequestFailed, RSerPoolError, SessionEnded


class Job:
    """A function that a worker calls, or a program that it runs.

    It can be awaited (a C{Deferred} of the value is L{result}), and cancelled: then the worker stops.

    @param function: its name.
    @param work: what is sent, see L{frames.work}.
    @param seconds: that it may take, with all waiting; by default what those that submit it say.
    @param at_most_once: fail where a worker dies over it, instead of giving it to another one.
    @ivar result: a C{Deferred} of what the function returns. It fails with a L{JobError}, or C{CancelledError}.
    @ivar worker: the PE identifier of who did it; 0 before.
    @ivar repeated: how often it was given to another worker, since one was gone.
    @ivar progress: what it last said of its progress, from 0.0 to 1.0.
    """

    def __init__(
        self, function: str, work: bytes, *, seconds: float | None = None, at_most_once: bool | None = None
    ) -> None:
        self.function = function
        self.work = work
        self.seconds = seconds
        self.at_most_once = at_most_once
        self.result: Deferred[Any] = Deferred(self._cancelled)
        self.worker = 0
        self.repeated = 0
        self.progress = 0.0
        self.progressing: Callable[[float], object] | None = None
        self.good = self.over = False
        self.lease: Any = None
        self._settled: list[Deferred[None]] = []
        self._withdraw: Callable[[Job], object] | None = None
        self._timer: Any = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.result.__await__()

    def __repr__(self) -> str:
        return f"<Job {self.function}{' (over)' if self.over else ''}>"

    def cancel(self) -> None:
        """It is not wanted any more."""
        self.result.cancel()

    def settled(self) -> Deferred[None]:
        """Fires when it has ended, however that was, and its result was taken."""
        waits: Deferred[None] = Deferred()
        if self.over and self.result.called:
            waits.callback(None)
        else:
            self._settled.append(waits)
        return waits

    # For those that have it done

    def begin(
        self,
        reactor: Any,
        seconds: float | None,
        withdraw: Callable[[Job], object],
    ) -> None:
        """It was submitted.

        @param seconds: that it may take.
        @param withdraw: called when it is over before its outcome came.
        """
        if self._withdraw is not None:
            raise ValueError(f"{self!r} was submitted before")
        self._withdraw = withdraw
        if seconds is not None:
            self.seconds = seconds
            self._timer = reactor.callLater(seconds, self._late)

    def answered(self, outcome: bytes) -> None:
        """L{worker} has done it, or failed at it."""
        if self.over:
            return
        try:
            value = frames.value_of(outcome)
        except JobError as error:
            self.fails(error)
        except frames.BadFrame as error:
            self.fails(JobFailed("BadFrame", f"worker 0x{self.worker:08x} answered what is no outcome: {error}"))
        else:
            self.good = True
            self._end()
            self.result.callback(value)
            self._settle()

    def unanswered(self, failure: Failure, alone: bool) -> None:
        """No worker has answered, and none will.

        @param alone: whether that is because there is no worker any more.
        """
        if not self.over:
            self.fails(self._why(failure.value, alone))

    def fails(self, error: Exception) -> None:
        """It has no result."""
        if not self.over:
            self._end()
            self.result.errback(Failure(error))
            self._settle()

    def progressed(self, part: float) -> None:
        """It has said how far it is."""
        self.progress = min(1.0, max(0.0, part))
        if self.progressing is not None:
            self.progressing(self.progress)

    def _why(self, error: Any, alone: bool) -> Exception:
        text = f"job {self.function}: {error}"
        if isinstance(error, RequestFailed) and error.perhaps_done and self.at_most_once:
            return JobLost(text)
        if alone or isinstance(error, SessionEnded):
            return NoWorkers(text)
        given_up: Exception = JobGivenUp(text) if isinstance(error, RSerPoolError) else error
        return given_up

    def _late(self) -> None:
        self._timer = None
        self.fails(JobTimeout(f"job {self.function} was not done within {self.seconds:g} s"))
        self._drop()

    def _cancelled(self, result: Deferred[Any]) -> None:
        if not self.over:
            self._end()
            result.errback(CancelledError())
            self._drop()
            self._settle()

    def _drop(self) -> None:
        if self._withdraw is not None:
            self._withdraw(self)

    def _end(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _settle(self) -> None:
        settled, self._settled = self._settled, []
        for each in settled:
            each.callback(None)
