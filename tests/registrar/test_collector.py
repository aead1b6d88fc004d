"""The garbage collector, tamed: what it looks at, and that nothing is lost by that."""

from __future__ import annotations

import gc
import sys
import weakref
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.handlespace.changes import Why
from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.policies import POLICIES
from rserpool.registrar.collector import MIDDLE, NEVER, YOUNG, Garbage
from tests.core.handlespace.elements import parameter


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


class GarbageTests(SynchronousTestCase):
    def tamed(self, garbage: Garbage) -> Garbage:
        garbage.start()
        self.addCleanup(garbage.stop)
        return garbage

    def test_leaves_the_collector_as_it_was(self) -> None:
        before = gc.get_threshold(), len(gc.callbacks)
        garbage = Garbage()
        garbage.start()
        garbage.start()
        self.assertEqual(gc.get_threshold(), (YOUNG, MIDDLE, NEVER))
        self.assertGreater(gc.get_freeze_count(), 0)
        garbage.stop()
        garbage.stop()
        self.assertEqual((gc.get_threshold(), len(gc.callbacks), gc.get_freeze_count()), (*before, 0))
        garbage.tick()
        self.assertEqual(gc.get_freeze_count(), 0)

    def test_the_last_one_to_stop_leaves_it_as_it_was(self) -> None:
        before = gc.get_threshold()
        first, second = Garbage(), Garbage()
        first.start()
        second.start()
        first.stop()
        self.assertEqual(gc.get_threshold(), (YOUNG, MIDDLE, NEVER))
        second.stop()
        self.assertEqual(gc.get_threshold(), before)

    def test_many_objects_are_never_walked_over_at_once(self) -> None:
        """A burst without any tick: what the collector has before it stays small."""
        self.tamed(Garbage())
        kept: list[object] = []
        most = 0
        for _ in range(100_000):
            kept.append([[]])
            if not len(kept) % 500:
                most = max(most, len(gc.get_objects()))
        self.assertLess(most, 30_000)
        self.assertGreater(gc.get_freeze_count(), 150_000)

    def test_young_garbage_is_found_as_ever(self) -> None:
        self.tamed(Garbage())
        knots = [weakref.ref(Knot()) for _ in range(20_000)]
        self.assertLess(sum(1 for knot in knots if knot() is not None), 10_000)

    def test_a_tick_finds_what_died_since_the_last_freeze(self) -> None:
        garbage = self.tamed(Garbage())
        knot = Knot()
        dead = weakref.ref(knot)
        gc.collect(1)  # a pass: the knot has lived through it
        del knot
        self.assertIsNotNone(dead())
        garbage.tick()
        self.assertIsNone(dead())

    def test_an_idle_tick_does_nothing(self) -> None:
        garbage = self.tamed(Garbage())
        knot = weakref.ref(Knot())
        garbage.tick()
        self.assertIsNotNone(knot())
        garbage.thorough()
        self.assertIsNone(knot())

    def test_frozen_garbage_is_found_when_there_is_much(self) -> None:
        garbage = self.tamed(Garbage(allowance=50_000))
        left: weakref.WeakSet[Knot] = weakref.WeakSet()
        most = 0
        for _ in range(40):
            knots = [Knot() for _ in range(5000)]
            left.update(knots)
            gc.collect(1)
            garbage.tick()  # frozen while it lives
            del knots
            most = max(most, len(left))
        self.assertGreater(most, 10_000)
        self.assertLess(most, 50_000)

    def test_what_is_no_garbage_is_not_walked_over_again_and_again(self) -> None:
        garbage = self.tamed(Garbage(allowance=10_000))
        kept: list[object] = []
        runs: list[int] = []
        thorough = garbage.thorough

        def counted() -> int:
            runs.append(1)
            return thorough()

        self.patch(garbage, "thorough", counted)
        for _ in range(30):
            kept.append([[] for _ in range(10_000)])
            garbage.tick()
        self.assertLess(len(runs), 7)

    def test_churn_gives_its_memory_back(self) -> None:
        """100,000 registrations, all of them frozen, go without the collector's help."""
        space = Handlespace(Random(1))
        deadlines = ElementDeadlines()
        garbage = self.tamed(Garbage(lambda: len(space)))
        runs: list[int] = []
        blocks = 0
        for identifier in range(100_000):
            policy = POLICIES[sorted(POLICIES)[identifier % 9]]
            handle = policy.name.encode()
            values = (1 + identifier % 5,) * len(policy.fields)
            change = space.register(handle, parameter(identifier, policy=policy, values=values))
            deadlines.set(change.element, float(identifier))
            if identifier >= 5000:
                old = POLICIES[sorted(POLICIES)[(identifier - 5000) % 9]].name.encode()
                gone = space.deregister(space.pools[old].elements[identifier - 5000], Why.DEREGISTERED)
                deadlines.discard(gone.element)
            if identifier == 10_000:
                blocks = sys.getallocatedblocks()
                self.patch(garbage, "thorough", lambda: runs.append(1))
            if not identifier % 1000:
                garbage.tick()
        self.assertEqual(len(space), 5000)
        self.assertLess(abs(sys.getallocatedblocks() - blocks), 20_000)
        self.assertEqual(runs, [])
