"""Computing over pools: jobs for workers, that survive them; see docs/compute.md."""

from rserpool.compute.executor import PoolExecutor, PoolFuture
from rserpool.compute.function_slot import FunctionSlot
from rserpool.compute.job import Job
from rserpool.compute.jobs import Jobs, Progress
from rserpool.compute.program_slot import ProgramSlot
from rserpool.compute.service import WorkerService
from rserpool.core.compute.errors import JobError, JobFailed, JobGivenUp, JobLost, JobTimeout, NoWorkers

__all__ = [
    "FunctionSlot",
    "Job",
    "JobError",
    "JobFailed",
    "JobGivenUp",
    "JobLost",
    "JobTimeout",
    "Jobs",
    "NoWorkers",
    "PoolExecutor",
    "PoolFuture",
    "ProgramSlot",
    "Progress",
    "WorkerService",
]
