"""A scope with workers whose slots are in memory, and users who give them jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.compute import Job, Jobs
from rserpool.compute.slots import Owner, Slots
from rserpool.compute.worker import WorkerFactory
from rserpool.job import progress, restored
from rserpool.session import KeyRing, SignedCookies
from rserpool.testing import MemorySlot
from tests.session.scope import SessionScope

KEYS = KeyRing({"ours": b"a key that all workers have"})


def _fail() -> None:
    raise KeyError("nothing")


class Worker:
    """One worker.

    @ivar open: the jobs that its slots do, and that have not ended: each name with what ends it.
    @ivar done: the arguments of all jobs that it was given.
    @ivar restored: the states from which they went on.
    """

    def __init__(self, scope: WorkScope, name: str, slots: int, seconds: float | None) -> None:
        self.open: dict[Any, Any] = {}
        self.done: list[Any] = []
        self.restored: list[Any] = []
        self.made: list[MemorySlot] = []
        self.name = name
        self._scope = scope
        self._count = slots
        self._seconds = seconds
        self.slots: Any = None

    def serve(self, reactor: Any) -> Slots:
        """Start the slots."""
        functions: dict[str, Callable[..., Any]] = {
            "square": self._square,
            "wait": self._wait,
            "fail": _fail,
            "odd": lambda: object(),
            "half": lambda: progress(0.5),
        }

        def make(owner: Owner) -> MemorySlot:
            slot = MemorySlot(reactor, owner, functions)
            self.made.append(slot)
            return slot

        self.slots = Slots(reactor, make, self._count, seconds=self._seconds)
        self.slots.start()
        return self.slots  # type: ignore[no-any-return]

    def slot_of(self, number: int = 0) -> MemorySlot:
        """The slot that has a job, the oldest of those."""
        return [slot for slot in self.made if slot.task is not None][number]

    def _square(self, x: int) -> int:
        self.done.append(x)
        return x * x

    def _wait(self, what: Any) -> Deferred[Any]:
        self.done.append(what)
        self.restored.append(restored())
        waiting: Deferred[Any] = Deferred()
        self.open[what] = waiting
        return waiting


class WorkScope(SessionScope):
    """Workers have names, and these are their identifiers too.

    @ivar workers: by name.
    """

    def __init__(self, case: Any, seed: int = 1) -> None:
        super().__init__(case, "tcp", seed)
        self.workers: dict[str, Worker] = {}
        self.begun: list[Job] = []
        case.addCleanup(lambda: [job.result.addErrback(lambda failure: None) for job in self.begun])

    def work(self, name: str, slots: int = 1, *, seconds: float | None = None, keys: Any = KEYS) -> Worker:
        """A worker, registered when this returns."""
        worker = self.workers[name] = Worker(self, name, slots, seconds)
        element = self.element(name=name, setup=lambda element: self._serve_jobs(element, worker, keys))
        self.until(lambda: element.pools[b"farm"])
        return worker

    def _serve_jobs(self, element: Any, worker: Worker, keys: Any) -> None:
        cookies = None if keys is None else SignedCookies(keys)
        factory = WorkerFactory(worker.serve(element.reactor), cookies=cookies, pool="farm", wall=element.wall)
        self.factories[worker.name] = factory
        element.serve("farm", factory, protocol="tcp", port=80, identifier=self.number(worker.name), framing=1)

    def jobs(self, **options: Any) -> Jobs:
        """Somebody who has jobs."""
        return Noted(self, self.user().service, "farm", **options)


class Noted(Jobs):
    """Jobs that may be left when the test is over."""

    def __init__(self, scope: WorkScope, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._scope = scope

    def begin(self, job: Job) -> Job:
        self._scope.begun.append(job)
        return super().begin(job)


class JobCase(SynchronousTestCase):
    """A test in such a scope."""

    def setUp(self) -> None:
        self.scope = WorkScope(self)

    def fails(self, job: Any, kind: type[Exception]) -> Any:
        """What a job fails with."""
        with self.assertRaises(kind) as caught:
            self.scope.result(job.result)
        return caught.exception

    def waiting(self, *workers: Worker) -> list[Any]:
        """What they were given and have not ended."""
        return [job for worker in workers for job in worker.open]
