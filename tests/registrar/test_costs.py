"""What supervision costs is measured: it is stretched only as far as it must be on this machine."""

from __future__ import annotations

import gc
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits, Registrar
from rserpool.core.registrar.shares import COST, MOST
from rserpool.registrar.collector import Garbage
from rserpool.registrar.costs import ENOUGH, EVERY, SELDOM, Costs, LookingAfter


class CostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registrar = Registrar(1, profile=DEFAULT, random=Random(1))
        self.used = 10.0
        self.costs = Costs(self.registrar, lambda: self.used)

    @property
    def cost(self) -> float:
        """In microseconds."""
        return round(1e6 * self.registrar.supervision.shares.cost, 3)

    def pass_time(self, used: float, asked: int, resolved: int = 0) -> None:
        self.used += used
        self.registrar.counts.asked += asked
        self.registrar.counts.resolved += resolved
        self.costs.look()

    def test_nothing_else_to_do(self) -> None:
        """The first measurement is believed, later ones by half."""
        self.pass_time(0.1, 1000)
        self.assertEqual(100.0, self.cost)
        self.pass_time(0.2, 1000)
        self.assertEqual(150.0, self.cost)

    def test_too_few(self) -> None:
        """What an idle process does besides is not taken for supervision."""
        self.pass_time(1.0, ENOUGH - 1)
        self.assertEqual(1e6 * COST, self.cost)
        self.pass_time(0.1, 1000)
        self.assertEqual(100.0, self.cost)

    def test_beside_other_work(self) -> None:
        """Of what was used a part counts, and it counts less."""
        self.pass_time(0.1, 1000)
        self.pass_time(0.8, 1000, resolved=6000)
        self.assertEqual(100.0 + (200.0 - 100.0) / 4 / 4 / 2, self.cost)

    def test_not_believed(self) -> None:
        """For example a process that was debugged: there is a limit to what one may cost."""
        for _ in range(20):
            self.pass_time(100.0, 100)
        self.assertEqual(1e6 * MOST, self.cost)

    def test_few_are_asked_for_a_while(self) -> None:
        """All else that there is to do is not taken for theirs at once: one measurement is no reason to double."""
        self.pass_time(0.1, 1000)
        self.pass_time(0.3, 100)
        self.assertEqual(150.0, self.cost)
        self.pass_time(0.1, 1000)
        self.assertEqual(125.0, self.cost)

    def test_interval(self) -> None:
        """It follows from both: what one costs, and what all may."""
        shares = self.registrar.supervision.shares
        for number in range(10_000):
            shares.came(("10.0.0.1", number))
        self.assertEqual(10_000 * COST / 0.25, self.registrar.supervision.interval)
        self.pass_time(0.05, 1000)
        self.assertAlmostEqual(2.0, self.registrar.supervision.interval)
        self.registrar.change_limits(Limits(supervision_percent=50))
        self.assertAlmostEqual(1.0, self.registrar.supervision.interval)


class LookingTests(SynchronousTestCase):
    def test_seldom(self) -> None:
        """While there is nothing to see, it wakes a registrar less often."""
        gc.disable()
        self.addCleanup(gc.enable)
        clock, garbage = Clock(), Garbage()
        garbage.start()
        self.addCleanup(garbage.stop)
        looking = LookingAfter(clock, garbage)
        looking.start(Costs(Registrar(1, profile=DEFAULT, random=Random(1))))
        self.addCleanup(looking.stop)

        def next_after() -> float:
            (call,) = clock.getDelayedCalls()
            before = clock.seconds()
            clock.advance(call.getTime() - before)
            return clock.seconds() - before

        gc.collect(1)
        self.assertEqual([EVERY, EVERY, SELDOM, SELDOM], [next_after() for _ in range(4)])
        gc.collect(1)
        self.assertEqual([SELDOM, EVERY], [next_after() for _ in range(2)])
