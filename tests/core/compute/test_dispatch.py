"""Which worker is given which job."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.compute.dispatch import MOST_LEASES, OPENINGS, Dispatch, Give, Open, Return


class World:
    """Workers with slots, and leases that open when they are asked to, at the first worker with room."""

    def __init__(self, **slots: int) -> None:
        self.numbers = {name: number for number, name in enumerate(slots, 1)}
        self.slots = {self.numbers[name]: count for name, count in slots.items()}
        self.dispatch: Dispatch[Any, Any] = Dispatch()
        self.dispatch.pool(self.slots)
        self.order = list(self.slots)
        self.given: list[tuple[Any, int]] = []
        self.at: dict[int, int] = {}
        self.has: dict[int, Any] = {}
        self.returned = 0
        self.opening = 0
        self._leases = 0

    def assign(self, open: bool = True) -> None:
        """Do what follows; leases open at once, unless they are not to."""
        effects = self.dispatch.assign(self.order)
        for effect in effects:
            match effect:
                case Give(job, lease):
                    self.given.append((job, self.at[lease]))
                    self.has[lease] = job
                case Return(lease):
                    self.returned += 1
                    del self.at[lease]
                    self.dispatch.closed(lease)
                case Open():
                    self.opening += 1
        if open and self.opening:
            self.opens()
            self.assign()

    def opens(self) -> None:
        """All that are being opened are open."""
        while self.opening:
            self.opening -= 1
            self._leases += 1
            worker = self.dispatch.with_room(self._leases, self.order)[0]
            self.at[self._leases] = worker
            self.dispatch.opened(self._leases, worker)
            self.dispatch.slots(self._leases, self.slots[worker])

    def end(self, job: Any) -> None:
        """A job is done."""
        [lease] = [lease for lease, has in self.has.items() if has == job]
        del self.has[lease]
        self.dispatch.done(lease)

    def busy(self) -> Counter[int]:
        """How many jobs each worker has."""
        return Counter(self.at[lease] for lease in self.has)


class DispatchTests(SynchronousTestCase):
    """By the policy, and by what is under way."""

    def test_room(self) -> None:
        """As many jobs as there are slots, and the others wait."""
        world = World(a=2, b=3)
        for job in range(8):
            world.dispatch.submit(job)
        world.assign()
        self.assertEqual(world.busy(), Counter({1: 2, 2: 3}))
        self.assertEqual((world.dispatch.waiting, world.dispatch.running, world.dispatch.leases), (3, 5, 5))
        world.end(0)
        world.assign()
        self.assertEqual([job for job, _ in world.given], [0, 1, 2, 3, 4, 5])

    def test_policy(self) -> None:
        """Among those with room, the one that the policy puts first."""
        world = World(a=1, b=1)
        for job in range(2):
            world.dispatch.submit(job)
        world.assign()
        world.end(0)
        world.end(1)
        for order, job in (([2, 1], 2), ([1, 2], 3), ([2, 1], 4)):
            world.order = order
            world.dispatch.submit(job)
            world.assign()
            self.assertEqual(world.given[-1], (job, order[0]))
            world.end(job)

    def test_newcomer(self) -> None:
        """A worker that comes and is the better one gets a lease, though there is an idle one elsewhere."""
        world = World(a=1)
        world.dispatch.submit("one")
        world.assign()
        world.end("one")
        world.slots[2] = 1
        world.dispatch.pool(world.slots)
        world.order = [2, 1]
        world.dispatch.submit("two")
        world.assign()
        self.assertEqual(world.given[-1], ("two", 1))
        world.dispatch.submit("three")
        world.assign()
        self.assertEqual(world.given[-1], ("three", 2))

    def test_openings(self) -> None:
        """Not more at one time than that, nor more than there are jobs; and one where nobody is known yet."""
        world = World()
        world.dispatch.submit(0)
        world.assign(open=False)
        self.assertEqual(world.opening, 1)
        world = World(a=1000)
        for job in range(1000):
            world.dispatch.submit(job)
        world.assign(open=False)
        self.assertEqual(world.opening, 1)
        world.opens()
        world.assign(open=False)
        self.assertEqual(world.opening, OPENINGS)
        world.opens()
        world.assign()
        self.assertEqual(world.dispatch.leases, MOST_LEASES)

    def test_surplus(self) -> None:
        """A lease whose worker has no slot for it is returned, when it has no job."""
        world = World(a=1, b=1)
        for job in range(2):
            world.dispatch.submit(job)
        world.assign()
        lease = next(lease for lease, worker in world.at.items() if worker == 2)
        world.at[lease] = 1
        world.dispatch.moved(lease, 1)
        world.assign()
        self.assertEqual(world.returned, 0)
        world.end(0)
        world.end(1)
        world.assign()
        self.assertEqual((world.returned, world.dispatch.leases), (1, 1))

    def test_dies(self) -> None:
        """A job whose worker dies goes where a slot is free, though a lease is there; no other job is given to that."""
        world = World(a=1, b=1, c=1)
        for job in range(3):
            world.dispatch.submit(job)
        world.assign()
        world.end(2)
        lease = next(lease for lease, worker in world.at.items() if worker == 1)
        world.dispatch.pool([2, 3])
        world.order = [2, 3]
        # The answer of the registrar may be old.
        self.assertEqual([3, 2, 1], world.dispatch.with_room(lease, [1, 2, 3]))
        world.dispatch.submit(3)
        world.assign(open=False)
        self.assertEqual(len(world.given), 3)
        world.at[lease] = 3
        world.dispatch.moved(lease, 3)
        world.end(1)
        world.assign()
        self.assertEqual((3, 2), world.given[-1])

    def test_dies_with_many(self) -> None:
        """The jobs of a worker with several slots are spread over those that have room, and not all sent to one."""
        world = World(a=3, b=2, c=2)
        for job in range(7):
            world.dispatch.submit(job)
        world.assign()
        for job in (3, 4, 5, 6):
            world.end(job)
        lost = [lease for lease, worker in world.at.items() if worker == 1]
        # Nobody has told yet that it is gone.
        self.assertEqual([2, 2, 3], [world.dispatch.with_room(lease, [1, 2, 3])[0] for lease in lost])

    def test_withdrawn(self) -> None:
        world = World(a=1)
        for job in range(3):
            world.dispatch.submit(job)
        world.assign()
        self.assertEqual([world.dispatch.withdraw(job) for job in range(3)], [False, True, True])
        world.end(0)
        world.assign()
        self.assertEqual(len(world.given), 1)

    def test_any_order_of_things(self) -> None:
        """Whatever happens, no worker has more of our jobs than slots, no job is given twice, and none is forgotten."""
        for seed in range(100):
            dice = Random(seed)
            world = World(a=dice.randint(1, 3), b=dice.randint(1, 3), c=dice.randint(1, 3))
            jobs = 0
            for _ in range(60):
                dice.shuffle(world.order)
                for _ in range(dice.randint(0, 3)):
                    world.dispatch.submit(jobs)
                    jobs += 1
                world.assign(open=dice.random() < 0.5)
                if world.opening and dice.random() < 0.3:
                    world.opening -= 1
                    world.dispatch.failed()
                if world.has and dice.random() < 0.8:
                    world.end(dice.choice(list(world.has.values())))
                for worker, count in world.busy().items():
                    self.assertLessEqual(count, world.slots[worker])
            while world.dispatch.waiting or world.has:
                world.assign()
                for job in list(world.has.values()):
                    world.end(job)
            self.assertEqual(sorted(job for job, _ in world.given), list(range(jobs)))
