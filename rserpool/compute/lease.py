"""A session with one worker of a pool, which does one job at a time over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from rserpool.compute.job import Job
from rserpool.core.compute import frames
from rserpool.core.errors import SessionEnded
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.client import Session
from rserpool.user.service import PoolUserService

LEAVING = 3600.0
"""Seconds that a worker which leaves the pool has for its job: it says itself when it has not."""


class Lease:
    """One lease.

    @param order: C{order(self, elements)}: the order in which workers are tried for it.
    @param options: of the session.
    @ivar worker: the PE identifier of the worker that has it.
    @ivar served: called with this, its job if it has one, and whether it is the first worker, when a worker has it.
    @ivar retired: called with this when it has another worker, while the old one, which leaves the pool, ends its job.
    @ivar told: called with this and the number of jobs that its worker does at one time.
    @ivar ended: called with this, why, and whether it ever had a worker, when it is over and was not closed.
    """

    served: Callable[[Lease, Job | None, bool], object]
    retired: Callable[[Lease], object]
    told: Callable[[Lease, int], object]
    ended: Callable[[Lease, str, bool], object]

    def __init__(
        self,
        user: PoolUserService,
        handle: bytes,
        order: Callable[[Lease, Sequence[PoolElementParameter]], Sequence[PoolElementParameter]],
        options: dict[str, Any],
    ) -> None:
        self._open: dict[str, Any] = {"order": partial(order, self), "grace": LEAVING, "timeout": None, **options}
        self._user = user
        self._handle = handle
        self._session: Any = None
        self._job: Job | None = None
        self._closed = False
        self.worker = 0

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return bool(self._session.over)

    def open(self) -> None:
        """Look for a worker."""
        self._session = Session(
            self._user,
            self._handle,
            received=self._received,
            failed_over=self._failed_over,
            ended=self._ended,
            **self._open,
        )
        # Where it ends, C{ended} is called.
        self._session.ready().addCallbacks(self._ready, lambda failure: None)

    def ask(self, job: Job) -> Deferred[bytes]:
        """Have the worker do a job; C{self} has none now.

        @return: the outcome.
        """
        self._job = job
        answer: Any = self._session.request(job.work, repeat=not job.at_most_once)
        return answer.addBoth(self._over, job)  # type: ignore[no-any-return]

    def abort(self) -> None:
        """Nobody wants the outcome of its job any more: the worker stops."""
        self._closed = True
        self._job = None
        self._session.abort()

    def close(self) -> Deferred[None]:
        """No more jobs."""
        self._closed = True
        closed: Deferred[None] = self._session.close()
        return closed

    def _over(self, result: Any, job: Job) -> Any:
        job.worker = self.worker
        if self._job is job:
            self._job = None
        if self._session.element is not None and self._session.element.identifier != self.worker:
            # The one that did it has left the pool.
            self.worker = self._session.element.identifier
            self.served(self, None, False)
        return result

    def _ready(self, element: PoolElementParameter) -> None:
        self.worker = element.identifier
        self.served(self, None, True)

    def _failed_over(self, old: PoolElementParameter, new: PoolElementParameter) -> None:
        if self._job is None or not self._session.finishing:
            self.worker = new.identifier
            self.served(self, self._job, False)
        else:
            self.retired(self)

    def _received(self, data: bytes) -> None:
        try:
            header, _ = frames.decode(data)
        except frames.BadFrame:
            return
        slots, progress = header.get("slots"), header.get("progress")
        if isinstance(slots, int):
            self.told(self, min(slots, 2**16))
        if isinstance(progress, int | float) and self._job is not None:
            # A whole number may be too large to be a float.
            self._job.progressed(float(min(1, max(0, progress))))

    def _ended(self, error: SessionEnded | None) -> None:
        if not self._closed:
            self.ended(self, "" if error is None else error.reason, self.worker != 0)
