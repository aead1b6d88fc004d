"""Jobs for ordinary programs: a C{concurrent.futures.Executor} whose workers are those of a pool.

C{with PoolExecutor("farm") as pool: results = list(pool.map("square", range(64)))}. A thread of its own speaks with
registrars and workers; in a program that runs a reactor use L{Jobs<rserpool.compute.jobs.Jobs>}.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, InvalidStateError
from itertools import islice
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.python.failure import Failure

from rserpool.compute.code import job_of
from rserpool.compute.job import Job
from rserpool.compute.jobs import Jobs, Progress
from rserpool.compute.thread import ReactorThread
from rserpool.core.profiles import profile as profile_named
from rserpool.node.candidates import registrars_from
from rserpool.node.securing import SecurityOption, secured_from
from rserpool.session.client import ATTEMPTS
from rserpool.user.service import PoolUserService

BACKLOG = 10_000
"""So many jobs are taken; who submits more waits until one has ended."""
WINDOW = 256
"""So many jobs of one C{map} are under way."""

T = TypeVar("T")


class PoolFuture(Future[T]):
    """What becomes of a job: a C{Future} that can be cancelled as long as it has no result, also while it runs.

    @ivar job: the job; None until the thread has it.
    """

    def __init__(self, withdraw: Callable[[PoolFuture[Any]], object]) -> None:
        super().__init__()
        self.job: Job | None = None
        self._withdraw = withdraw

    def cancel(self) -> bool:
        """The result is not wanted any more: a worker that has the job stops. Whether it had none yet."""
        if self.cancelled():
            return True
        if not super().cancel():
            return False
        # Those that wait for it learn it only so.
        super().set_running_or_notify_cancel()
        self._withdraw(self)
        return True

    def running(self) -> bool:
        """Whether a worker has it."""
        return not self.done() and self.job is not None and self.job.lease is not None

    @property
    def progress(self) -> float:
        """How far the job says that it is, from 0.0 to 1.0."""
        return 0.0 if self.job is None else self.job.progress

    @property
    def worker(self) -> int:
        """The PE identifier of the worker that did it; 0 before."""
        return 0 if self.job is None else self.job.worker

    @property
    def repeated(self) -> int:
        """How often it was given to another worker, since one was gone."""
        return 0 if self.job is None else self.job.repeated


class PoolExecutor(Executor):
    """Calls functions at the workers of a pool.

    @param pool: the pool of the workers.
    @param registrars: where registrars serve ASAP, each C{HOST:PORT}; by default as everywhere.
    @param at_most_once: fail clearly (L{JobLost<rserpool.core.compute.errors.JobLost>}) where a worker dies over a job;
        otherwise the job is given to another one, and may then be done twice. Each result is delivered once.
    @param deadline: seconds that a job may take, with all waiting.
    @param attempts: a job over which so many workers died is given up.
    @param patience: seconds that the pool may be without workers before jobs fail.
    @param backlog: so many jobs are taken; C{submit} then waits until one has ended.
    @param progress: called with a L{Progress} whenever that has changed, in the executor's thread.
    @param security: what secures it, as everywhere; C{tls} and C{tls_ca}: how workers prove who they are.
    @param code: whether functions themselves travel to the workers, which then must accept code
        (C{twistd rserpool-worker --accept-code}); it takes a certificate of one's own, and C{tls}.
    @param transport: how registrars are asked: C{tcp}, C{sctp}, or C{auto}.
    @raise ConfigurationError: if one of these is wrong.
    """

    def __init__(
        self,
        pool: bytes | str,
        *,
        registrars: Sequence[str] = (),
        at_most_once: bool = False,
        deadline: float | None = None,
        attempts: int = ATTEMPTS,
        patience: float = 30.0,
        backlog: int = BACKLOG,
        progress: Callable[[Progress], object] | None = None,
        profile: str = "default",
        transport: str = "tcp",
        security: SecurityOption = None,
        tls: str | None = None,
        tls_ca: bytes | None = None,
        code: bool = False,
    ) -> None:
        self._thread = ReactorThread()
        reactor = self._thread.reactor
        user = PoolUserService(
            reactor,
            registrars_from(registrars, "tcp" if transport == "tcp" else "sctp"),
            transport=transport,
            profile=profile_named(profile),
            security=secured_from(security, shared=False),
        )
        options = {
            "at_most_once": at_most_once,
            "deadline": deadline,
            "attempts": attempts,
            "patience": patience,
            "tls": tls,
            "tls_ca": tls_ca,
            "code": code,
        }
        self._code = code
        self._progress = progress
        self._room = threading.BoundedSemaphore(backlog)
        self._lock = threading.Lock()
        self._closed = False
        self._orders: deque[Callable[[], object]] = deque()
        self._jobs: Any = None
        self._user = user
        self._thread.call(lambda: self._begin(pool, options))

    @property
    def progress(self) -> Progress:
        """How far the jobs are."""
        jobs: Jobs = self._jobs
        return jobs.progress

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> PoolFuture[Any]:
        """Have a worker call a function.

        @param function: the name by which the workers know it; where C{code} was said, any callable.
        @param arguments: JSON; or a single one of bytes.
        @raise TypeError: if C{function} is neither, or an argument neither JSON nor bytes.
        @raise ValueError: if the function or its arguments are too long.
        """
        name, work = job_of(function, arguments, named, self._code)
        self._room.acquire()
        future: PoolFuture[Any] = PoolFuture(self._withdraw)
        with self._lock:
            if self._closed:
                self._room.release()
                raise RuntimeError("no jobs are taken any more: it was shut down")
            self._order(lambda: self._take(future, Job(name, work)))
        return future

    def map(
        self, fn: Any, *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """Call a function with each item (of several iterables: with one of each); the results come in order.

        Items are taken as results are: the iterable may be endless.

        @param timeout: seconds until the next result must be there, from now on.
        @param chunksize: not looked at.
        @raise TimeoutError: when the time is up.
        """
        deadline = None if timeout is None else monotonic() + timeout
        given = zip(*iterables, strict=False)
        futures = deque(self.submit(fn, *each) for each in islice(given, WINDOW))
        return self._in_order(fn, given, futures, deadline)

    def as_they_come(self, fn: str, *iterables: Iterable[Any]) -> Iterator[PoolFuture[Any]]:
        """The same, but each C{Future} comes when it has ended."""
        ended: SimpleQueue[PoolFuture[Any]] = SimpleQueue()
        given = zip(*iterables, strict=False)
        under_way: set[PoolFuture[Any]] = set()

        def fill(number: int) -> None:
            for each in islice(given, number):
                future = self.submit(fn, *each)
                under_way.add(future)
                future.add_done_callback(ended.put)  # type: ignore[arg-type]

        fill(WINDOW)
        try:
            while under_way:
                future = ended.get()
                under_way.discard(future)
                fill(1)
                yield future
        finally:
            for future in under_way:
                future.cancel()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs, and end when those that are here have ended.

        @param wait: until then.
        @param cancel_futures: cancel them.
        """
        with self._lock:
            first, self._closed = not self._closed, True
            if first:
                self._order(lambda: ensureDeferred(self._end(cancel_futures)))
        if wait:
            self._thread.join()

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        # Who interrupts a program (Ctrl-C) does not want to wait for its jobs; any other error leaves them be.
        self.shutdown(cancel_futures=kind is not None and not issubclass(kind, Exception))

    # Any thread

    def _in_order(
        self, fn: str, given: Iterator[Any], futures: deque[PoolFuture[Any]], deadline: float | None
    ) -> Iterator[Any]:
        try:
            while futures:
                left = None if deadline is None else max(0.0, deadline - monotonic())
                yield futures.popleft().result(left)
                futures.extend(self.submit(fn, *each) for each in islice(given, 1))
        finally:
            for future in futures:
                future.cancel()

    def _withdraw(self, future: PoolFuture[Any]) -> None:
        def cancel() -> None:
            if future.job is not None:
                future.job.cancel()

        self._order(cancel)

    def _order(self, order: Callable[[], object]) -> None:
        """Have something done in the thread, in order."""
        self._orders.append(order)
        if len(self._orders) == 1:
            self._thread.wake(self._obey)

    # The thread

    def _begin(self, pool: bytes | str, options: dict[str, Any]) -> None:
        self._user.startService()
        self._jobs = Jobs(self._user, pool, **options, changed=self._changed)

    def _obey(self) -> None:
        orders = self._orders
        while orders:
            orders[0]()
            orders.popleft()

    def _take(self, future: PoolFuture[Any], job: Job) -> None:
        if future.cancelled():
            self._room.release()
            return
        future.job = job
        job.result.addCallbacks(future.set_result, lambda failure: self._failed(failure, future))
        job.result.addErrback(lambda failure: failure.trap(InvalidStateError))
        job.settled().addCallback(lambda _: self._room.release())
        self._jobs.begin(job)

    def _failed(self, failure: Failure, future: PoolFuture[Any]) -> None:
        if failure.check(CancelledError):
            future.cancel()
        else:
            future.set_exception(failure.value)

    def _changed(self) -> None:
        if self._progress is not None and self._jobs is not None:
            self._progress(self._jobs.progress)

    async def _end(self, cancel: bool) -> None:
        await self._jobs.close(cancel=cancel)
        await self._user.stopService()
        self._thread.stop()
