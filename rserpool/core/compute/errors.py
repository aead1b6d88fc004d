"""What can become of a job but a result."""

from __future__ import annotations

from rserpool.core.errors import RSerPoolError


class JobError(RSerPoolError):
    """A job has no result; the text says why."""


class JobFailed(JobError):
    """The job itself raised an exception, or broke a limit of the worker: elsewhere it would do so, too.

    @ivar kind: the name of the exception's class.
    @ivar traceback: the worker's traceback, as text; empty where there is none.
    """

    def __init__(self, kind: str, says: str, traceback: str = "") -> None:
        super().__init__(f"{kind}: {says}" if says else kind)
        self.kind = kind
        self.traceback = traceback


class JobLost(JobError):
    """The job may have been done, or in part, and is not given to another worker, since it may be done once at most."""


class JobGivenUp(JobError):
    """So many workers died over the job that it is given to no other: it may be what kills them."""


class JobTimeout(JobError):
    """The deadline of the job came before its result."""


class NoWorkers(JobError):
    """No worker of the pool could be used for too long."""
