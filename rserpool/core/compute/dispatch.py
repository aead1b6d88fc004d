"""Which job goes to which worker: a lease is a session with one worker, and does one job at a time.

There are as many leases as the pool has slots, as far as its workers have told. A job goes to the worker that comes
first in the order of the pool's policy and has room; where a better one has room and no lease, one is opened for
the next job. Events go in, effects come out.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from rserpool.core.frozen import frozen

J = TypeVar("J", bound=Hashable)
L = TypeVar("L", bound=Hashable)

MOST_LEASES: Final = 512
"""So many leases at most: each is a connection."""
OPENINGS: Final = 16
"""So many are opened at one time."""


@frozen
class Give(Generic[J, L]):
    """Give this job to the worker of this lease."""

    job: J
    lease: L


@frozen
class Open:
    """Open a lease at a worker with room: C{opened} or C{failed} follows."""


@frozen
class Return(Generic[L]):
    """Close this lease: it has no job."""

    lease: L


Effect: TypeAlias = Give[J, L] | Open | Return[L]


@dataclass(slots=True)
class _Lease(Generic[J]):
    worker: int = 0
    job: J | None = None


class Dispatch(Generic[J, L]):
    """Jobs that wait, and leases.

    Workers are named by their PE identifiers. C{order}: the pool's workers in the order of its policy, best first.

    @ivar opening: how many leases are being opened.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[J, None] = OrderedDict()
        self._leases: dict[L, _Lease[J]] = {}
        # Those without a job, the one that had none for longest first.
        self._idle: OrderedDict[L, None] = OrderedDict()
        # Those that look for a worker, and the one that they try first.
        self._towards: dict[L, int] = {}
        self._slots: dict[int, int] = {}
        self._known: Collection[int] = ()
        self.opening = 0

    @property
    def waiting(self) -> int:
        """How many jobs no worker was given yet."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs a worker was given."""
        return len(self._leases) - len(self._idle)

    @property
    def leases(self) -> int:
        """How many there are."""
        return len(self._leases)

    @property
    def capacity(self) -> int:
        """How many leases there may be: a worker that has not said yet how many slots it has counts as one."""
        return min(MOST_LEASES, sum(self._slots.get(worker, 1) for worker in self._known))

    def with_room(self, lease: L, order: Sequence[int]) -> list[int]:
        """The workers in the order in which a lease should try them; until it has one it counts for the first.

        First those that have room and no other lease for it, then those that have room, so that a job whose worker died
        waits for no other one; last those that are not in the pool any more, and the one that it has lost.
        """
        self._towards.pop(lease, None)
        lost = self._leases[lease].worker if lease in self._leases else 0
        leases, jobs = Counter(self._towards.values()), Counter(self._towards.values())
        for each, has in self._leases.items():
            if each is not lease and each not in self._towards:
                leases[has.worker] += 1
                jobs[has.worker] += has.job is not None

        def full(worker: int) -> tuple[bool, bool, bool]:
            slots = self._slots.get(worker, 1)
            return worker == lost or worker not in self._known, jobs[worker] >= slots, leases[worker] >= slots

        found = sorted(order, key=full)
        if found:
            self._towards[lease] = found[0]
        return found

    # Jobs

    def submit(self, job: J) -> None:
        """A new job."""
        self._waiting[job] = None

    def withdraw(self, job: J) -> bool:
        """A job is not wanted any more; whether it waited: else a worker has it, or had it."""
        return self._waiting.pop(job, job) is None

    def all_waiting(self) -> list[J]:
        """Those that wait, none of which waits any more."""
        jobs, self._waiting = list(self._waiting), OrderedDict()
        return jobs

    # Leases

    def opened(self, lease: L, worker: int) -> None:
        """A lease was opened, and has this worker."""
        self.opening -= 1
        self.settled(lease)
        self._leases[lease] = _Lease(worker)
        self._idle[lease] = None

    def failed(self, lease: L | None = None) -> None:
        """A lease could not be opened."""
        self.opening -= 1
        if lease is not None:
            self.settled(lease)

    def settled(self, lease: L) -> None:
        """A lease looks for no worker any more."""
        self._towards.pop(lease, None)

    def moved(self, lease: L, worker: int) -> None:
        """Its worker is gone, and it has this one now, with its job."""
        self.settled(lease)
        if lease in self._leases:
            self._leases[lease].worker = worker

    def done(self, lease: L) -> None:
        """Its job is over."""
        there = self._leases.get(lease)
        if there is not None and there.job is not None:
            there.job = None
            self._idle[lease] = None

    def closed(self, lease: L) -> None:
        """A lease is over, and the job that it had with it."""
        self.settled(lease)
        self._leases.pop(lease, None)
        self._idle.pop(lease, None)

    # Workers

    def pool(self, workers: Collection[int]) -> None:
        """These workers are in the pool."""
        self._known = frozenset(workers)
        self._slots = {worker: slots for worker, slots in self._slots.items() if worker in self._known}

    def slots(self, lease: L, slots: int) -> None:
        """The worker of a lease has told how many jobs it does at one time."""
        if lease in self._leases:
            self._slots[self._leases[lease].worker] = max(1, slots)

    # What follows

    def assign(self, order: Sequence[int]) -> list[Effect[J, L]]:
        """Give jobs to workers, as far as there are leases, and open those that are missing."""
        effects: list[Effect[J, L]] = []
        # What each worker has of ours, and how many leases it has.
        busy: Counter[int] = Counter()
        there: Counter[int] = Counter()
        if self._waiting or self._idle:  # else nothing follows
            for name, lease in self._leases.items():
                there[lease.worker] += 1
                busy[self._towards.get(name, lease.worker) if self._towards else lease.worker] += lease.job is not None
        while self._waiting and self._idle:
            best = self._best(order, busy)
            if best is None:
                break
            job, _ = self._waiting.popitem(last=False)
            del self._idle[best]
            self._leases[best].job = job
            busy[self._leases[best].worker] += 1
            effects.append(Give(job, best))
        wanted = min(len(self._waiting), OPENINGS) - self.opening
        if not self._waiting and not self.opening and effects:
            # A worker that has room and no lease may be the better one.
            wanted = any(there[worker] < self._slots.get(worker, 1) for worker in order[:1])
        # A worker that leaves the pool ends the job that it has.
        present = sum(count for worker, count in there.items() if worker in self._known)
        room = max(self.capacity, 1) - present - self.opening
        for _ in range(min(wanted, room)):
            self.opening += 1
            effects.append(Open())
        effects += [Return(lease) for lease in self._surplus(there)]
        return effects

    def _best(self, order: Sequence[int], busy: Counter[int]) -> L | None:
        """The idle lease of the worker that comes first and has room; else one of a worker that nobody knows yet."""
        idle: dict[int, L] = {}
        for lease in self._idle:
            worker = self._leases[lease].worker
            if busy[worker] < self._slots.get(worker, 1):
                idle.setdefault(worker, lease)
        for worker in order:
            if worker in idle:
                return idle[worker]
        return next(iter(idle.values()), None)

    def _surplus(self, there: Counter[int]) -> list[L]:
        """Idle leases of workers that have more of ours than slots."""
        surplus = []
        for lease in self._idle:
            worker = self._leases[lease].worker
            if there[worker] > self._slots.get(worker, 1):
                there[worker] -= 1
                surplus.append(lease)
        return surplus
