"""Jobs for the workers of a pool, on a Twisted reactor.

C{jobs = Jobs(user, "farm")}; C{await jobs.submit("square", 7)}. L{rserpool.core.compute.dispatch} decides which worker
does which job; a lease is a session with a pool (RFC 5352 section 3.8), so that a job whose worker dies goes on at
another one, from its last checkpoint, which is the session's cookie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.compute.alone import Alone
from rserpool.compute.code import check_submitter, job_of
from rserpool.compute.job import Job
from rserpool.compute.lease import Lease
from rserpool.core.compute.dispatch import Dispatch, Give, Open, Return
from rserpool.core.compute.errors import NoWorkers
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.user.events import PoolChanged
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.client import ATTEMPTS
from rserpool.user.service import PoolUserService

AGAIN = 0.2
"""Seconds after which a lease is tried again that could not be opened."""


@frozen
class Progress:
    """How far the jobs are.

    @ivar done: those that have a result; C{failed}: those that have none and will have none.
    @ivar running: those that a worker has; C{waiting}: those that none has yet.
    @ivar repeated: how often a job was given to another worker.
    @ivar workers: how many workers the pool has.
    """

    done: int = 0
    failed: int = 0
    running: int = 0
    waiting: int = 0
    repeated: int = 0
    workers: int = 0


class Jobs:
    """Gives jobs to the workers of a pool.

    @param user: a pool user that runs; it stays the caller's.
    @param at_most_once: fail clearly where a worker dies over a job, instead of giving it to another one.
    @param deadline: seconds that a job may take, with all waiting; None for as long as it takes.
    @param attempts: a job over which so many workers died, without a checkpoint in between, is given to no other.
    @param patience: seconds that the pool may be without workers before jobs fail.
    @param changed: called when something has changed in L{progress}.
    @param tls: as L{Session<rserpool.session.client.Session>} has it; C{tls_ca}, too.
    @param code: whether functions themselves travel to the workers, which then must accept code.
    @raise ConfigurationError: if C{code} is said, and workers could not know who submits it.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        *,
        at_most_once: bool = False,
        deadline: float | None = None,
        attempts: int = ATTEMPTS,
        patience: float = 30.0,
        changed: Callable[[], object] | None = None,
        tls: str | None = None,
        tls_ca: bytes | None = None,
        code: bool = False,
    ) -> None:
        if code:
            check_submitter(user, tls)
        self._code = code
        self.handle = handle_of(pool)
        self.changed = changed
        self._user = user
        self._at_most_once = at_most_once
        self._deadline = deadline
        self._patience = patience
        self._session: dict[str, Any] = {
            "repeat": True,
            "attempts": attempts,
            # Who has left a checkpoint did not die in vain.
            "forgiving": True,
            "patience": patience,
            "tls": tls,
            "tls_ca": tls_ca,
        }
        self._dispatch: Dispatch[Job, Lease] = Dispatch()
        self._leases: set[Lease] = set()
        self._jobs: dict[Job, None] = {}
        self._members: tuple[PoolElementParameter, ...] = ()
        self._unknown = self._told_unknown = False
        self._alone = Alone(user.reactor, patience, self._tell_alone, self._no_worker)
        self._again: Any = None
        self._done = self._failed = self._repeated = 0
        self._closed = False
        self._watching = user.subscribe(self.handle, self._pool_changed)

    @property
    def progress(self) -> Progress:
        """How far the jobs are."""
        dispatch = self._dispatch
        return Progress(
            self._done, self._failed, dispatch.running, dispatch.waiting, self._repeated, len(self._members)
        )

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Job:
        """Have a worker call a function.

        @param function: by the name that the workers know it by; where C{code} was said, any callable.
        @param arguments: JSON; or a single one of bytes.
        @return: the job, which can be awaited and cancelled.
        @raise TypeError: if C{function} is neither, or an argument neither JSON nor bytes.
        @raise ValueError: if the function, or all arguments together, are too long.
        """
        return self.begin(Job(*job_of(function, arguments, named, self._code)))

    def begin(self, job: Job) -> Job:
        """Have a worker do a job.

        @param job: one that was made with options of its own.
        """
        if self._closed:
            raise RuntimeError("no jobs are taken any more: it was closed")
        if job.at_most_once is None:
            job.at_most_once = self._at_most_once
        seconds = self._deadline if job.seconds is None else job.seconds
        job.begin(self._user.reactor, seconds, self._withdraw)
        self._jobs[job] = None
        self._dispatch.submit(job)
        self._tell_unknown()
        self._assign()
        return job

    async def close(self, *, cancel: bool = False) -> None:
        """Take no more jobs, and end when those that are here have ended.

        @param cancel: cancel them instead.
        """
        self._closed = True
        jobs = list(self._jobs)
        for job in jobs:
            if cancel:
                job.cancel()
        for job in jobs:
            await job.settled()
        self._watching.stop()
        self._alone.end()
        if self._again is not None and self._again.active():
            self._again.cancel()
        for lease in list(self._leases):
            await lease.close()

    # Jobs

    def _withdraw(self, job: Job) -> None:
        """It is not wanted any more."""
        lease, job.lease = job.lease, None
        if self._dispatch.withdraw(job):
            self._over(job)
        elif lease is not None:
            # There is no other way to tell a worker that leaves the pool.
            self._leases.discard(lease)
            self._dispatch.closed(lease)
            lease.abort()
            self._over(job)
            self._assign()
        if not self._jobs:
            self._alone.end()

    def _over(self, job: Job) -> None:
        del self._jobs[job]
        if job.good:
            self._done += 1
        else:
            self._failed += 1
        self._tell()

    def _free(self, lease: Lease, job: Job) -> None:
        """The job of a lease is over, and perhaps the lease with it."""
        job.lease = None
        if lease.over:
            self._leases.discard(lease)
            self._dispatch.closed(lease)
        else:
            self._dispatch.done(lease)
        self._over(job)
        self._assign()

    # Leases

    def _assign(self) -> None:
        if self._dispatch.waiting and not self._dispatch.leases:
            self._alone.begin()
        for effect in self._dispatch.assign(self._order()):
            match effect:
                case Give(job, lease):
                    self._give(job, lease)
                case Open():
                    self._open()
                case Return(lease):
                    self._leases.discard(lease)
                    self._dispatch.closed(lease)
                    lease.close()
        self._tell()

    def _order(self) -> list[int]:
        """The workers in the order of the policy."""
        answer = self._user.recall(self.handle)
        return [each.identifier for each in (self._members if answer is None else answer.elements)]

    def _give(self, job: Job, lease: Lease) -> None:
        job.lease = lease
        asked = lease.ask(job)
        asked.addCallbacks(
            lambda outcome: self._answered(outcome, lease, job), lambda failure: self._unanswered(failure, lease, job)
        )
        asked.addErrback(lambda failure: self._log.failure("{job}", failure, job=job))

    def _answered(self, outcome: bytes, lease: Lease, job: Job) -> None:
        if job.lease is lease:
            job.answered(outcome)
            self._free(lease, job)

    def _unanswered(self, failure: Failure, lease: Lease, job: Job) -> None:
        if job.lease is lease:
            job.unanswered(failure, lease.over)
            self._free(lease, job)

    def _open(self) -> None:
        if not self._user.running:
            self._dispatch.failed()
            self._give_up("can be found: the pool user has stopped")
            return
        lease = Lease(self._user, self.handle, self._with_room, self._session)
        self._leases.add(lease)
        lease.served, lease.told, lease.ended = self._served, self._slots, self._ended
        lease.retired = self._dispatch.settled
        lease.open()

    def _with_room(self, lease: Lease, elements: Sequence[PoolElementParameter]) -> list[PoolElementParameter]:
        if lease not in self._leases:
            return list(elements)
        # The answer of a while ago lacks who has come since; who has gone comes last.
        there = {each.identifier: each for each in (*elements, *self._members)}
        return [there[worker] for worker in self._dispatch.with_room(lease, list(there))]

    def _served(self, lease: Lease, job: Job | None, first: bool) -> None:
        """A worker has a lease: the first one, or another in place of one that is gone, with the job that it had."""
        self._alone.end()
        if first:
            self._dispatch.opened(lease, lease.worker)
        else:
            self._dispatch.moved(lease, lease.worker)
            if job is not None:
                job.repeated += 1
                self._repeated += 1
        self._assign()

    def _slots(self, lease: Lease, slots: int) -> None:
        self._dispatch.slots(lease, slots)
        self._assign()

    def _ended(self, lease: Lease, why: str, opened: bool) -> None:
        self._leases.discard(lease)
        if opened:
            self._dispatch.closed(lease)
        else:
            self._dispatch.failed(lease)
        if not self._dispatch.waiting:
            return
        self._alone.failed(why)
        if self._dispatch.waiting and (self._again is None or not self._again.active()):
            self._again = self._user.reactor.callLater(AGAIN, self._assign)

    def _no_worker(self, why: str) -> None:
        self._give_up(f"could be used for {self._patience:g} s: {why}")

    def _give_up(self, why: str) -> None:
        """There will be no workers for the jobs that wait."""
        self._alone.end()
        pool = repr(handle_text(self.handle))
        text = f"no worker {why}" if pool in why else f"no worker of pool {pool} {why}"
        for job in self._dispatch.all_waiting():
            job.fails(NoWorkers(text))
            self._over(job)

    # The pool

    def _pool_changed(self, change: PoolChanged) -> None:
        self._members, self._unknown = change.elements or (), change.elements is None
        self._tell_unknown()
        self._dispatch.pool([each.identifier for each in self._members])
        self._assign()

    def _tell_unknown(self) -> None:
        """Who waits for jobs of a pool that is not there, or is misspelt, hears of it before their time is over."""
        if self._unknown and self._jobs and not self._told_unknown:
            self._log.warn(
                "no pool is named {pool} now: jobs wait for it, for {patience:g} s at most",
                pool=handle_text(self.handle),
                patience=self._patience,
            )
        self._told_unknown = self._unknown and bool(self._jobs)

    def _tell_alone(self) -> None:
        """Who waits hears that, and how long it may take."""
        if not self._told_unknown and self._dispatch.waiting:
            self._log.warn(
                "no worker of pool {pool} could be used yet: jobs wait for one, for {patience:g} s at most",
                pool=handle_text(self.handle),
                patience=self._patience,
            )

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()
