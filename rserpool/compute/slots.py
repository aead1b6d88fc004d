"""The slots of a worker: each does one job at a time, in a process of its own. Jobs for which there is none wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rserpool.core.backoff import Backoff
from rserpool.core.compute import frames

RESTARTS = Backoff(0.1, 10.0)
"""Seconds until a slot that does not even start is started again."""


class Asked(Protocol):
    """A job that somebody waits for; see L{Task<rserpool.compute.worker.Task>}."""

    header: dict[str, Any]
    body: bytes

    def outcome(self, outcome: bytes) -> None:
        """It is done, or failed."""

    def checkpoint(self, message: bytes) -> None:
        """It left a state."""

    def progress(self, message: bytes) -> None:
        """It told how far it is."""

    def broke(self, why: str) -> None:
        """The slot died over it."""


class Slot(Protocol):
    """One slot, as L{Slots} uses it."""

    def run(self, task: Asked) -> None:
        """Do a job."""

    def kill(self) -> None:
        """End at once; C{gone} follows."""


class Owner(Protocol):
    """What a slot tells."""

    def ready(self, slot: Any, functions: tuple[str, ...]) -> None:
        """It takes jobs."""

    def free(self, slot: Any) -> None:
        """Its job is over."""

    def gone(self, slot: Any, why: str, broken: bool) -> None:
        """It has ended; C{broken}: it never took a job, and another one would not, either."""


class Slots:
    """All slots of one worker.

    @param make: C{make(owner)} starts one.
    @param count: so many.
    @param seconds: that a job may take; None for as long as it takes.
    @param changed: called when as many jobs are here as were not before.
    @ivar functions: what they offer; None until one of them has told.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        make: Callable[[Owner], Slot],
        count: int,
        *,
        seconds: float | None = None,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self.count = count
        self.functions: tuple[str, ...] | None = None
        self.changed = changed
        self._reactor = reactor
        self._make = make
        self._seconds = seconds
        self._free: deque[Slot] = deque()
        self._running: dict[Slot, Asked] = {}
        self._all: set[Slot] = set()
        self._waiting: deque[Asked] = deque()
        self._limits: dict[Slot, Any] = {}
        self._late: set[Slot] = set()
        self._pause = 0.0
        self._started: Deferred[None] | None = None
        self._stopping: Deferred[None] | None = None
        self._restarts: list[Any] = []

    @property
    def jobs(self) -> int:
        """How many jobs are here."""
        return len(self._running) + len(self._waiting)

    def start(self) -> Deferred[None]:
        """Start them all.

        @return: fires when the first one takes jobs; fails with C{ChildProcessError} and its sentence if it cannot.
        """
        self._started = Deferred()
        for _ in range(self.count):
            self._begin()
        return self._started

    def stop(self) -> Deferred[None]:
        """End them all, whatever they do."""
        stopped: Deferred[None] = Deferred()
        self._stopping = stopped
        for each in self._restarts:
            if each.active():
                each.cancel()
        for slot in list(self._all):
            slot.kill()
        self._ended()
        return stopped

    def put(self, task: Asked) -> None:
        """A job: do it as soon as a slot is free."""
        self._waiting.append(task)
        self._go_on()

    def take_back(self, task: Asked) -> None:
        """Nobody wants the outcome of a job any more."""
        if task in self._waiting:
            self._waiting.remove(task)
            self.changed()
            return
        for slot, running in list(self._running.items()):
            if running is task:
                self._over(slot)
                slot.kill()

    # What slots tell (Owner)

    def ready(self, slot: Slot, functions: tuple[str, ...]) -> None:
        self.functions = functions
        self._pause = 0.0
        started, self._started = self._started, None
        if started is not None:
            started.callback(None)
        self._free.append(slot)
        self._go_on()

    def free(self, slot: Slot) -> None:
        if slot in self._running:
            self._over(slot)
            self._free.append(slot)
            self._go_on()

    def gone(self, slot: Slot, why: str, broken: bool) -> None:
        self._all.discard(slot)
        if slot in self._free:
            self._free.remove(slot)
        task = self._running.get(slot)
        if task is not None:
            late = slot in self._late
            self._over(slot)
            if late:
                task.outcome(frames.failure("TimeLimit", f"it took longer than the {self._seconds:g} s that a job may"))
            else:
                self._log.warn("a slot died over job {job}: {why}", job=str(task.header.get("do"))[:100], why=why)
                task.broke(why)
        self._late.discard(slot)
        started, self._started = self._started, None
        if started is not None and broken:
            started.errback(ChildProcessError(why))
        if self._stopping is not None:
            self._ended()
        elif broken:
            self._log.error("a slot does not start: {why}", why=why)
            self._pause = RESTARTS.after(self._pause)
            self._restarts = [each for each in self._restarts if each.active()]
            self._restarts.append(self._reactor.callLater(self._pause, self._begin))
        else:
            self._begin()

    # Parts

    def _begin(self) -> None:
        self._all.add(self._make(self))

    def _go_on(self) -> None:
        while self._waiting and self._free:
            # The one that was busy last: its caches are warm.
            slot, task = self._free.pop(), self._waiting.popleft()
            self._running[slot] = task
            if self._seconds is not None:
                self._limits[slot] = self._reactor.callLater(self._seconds, self._too_long, slot)
            slot.run(task)
        self.changed()

    def _too_long(self, slot: Slot) -> None:
        del self._limits[slot]
        self._late.add(slot)
        slot.kill()

    def _over(self, slot: Slot) -> None:
        del self._running[slot]
        limit = self._limits.pop(slot, None)
        if limit is not None:
            limit.cancel()
        self.changed()

    def _ended(self) -> None:
        if not self._all and self._stopping is not None and not self._stopping.called:
            self._stopping.callback(None)
