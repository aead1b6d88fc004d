"""What supervision costs is measured: it is stretched only as far as it must be on this machine."""

from __future__ import annotations

import gc
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.addresses import TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits, Registrar
from rserpool.core.registrar.shares import AIM, COST, LEAST, LEAST_REST, MOST, SHARE
from rserpool.registrar.collector import Garbage
from rserpool.registrar.costs import ENOUGH, EVERY, SELDOM, Costs, LookingAfter

# Seconds of processor time on an imagined machine: a keep-alive with its answer, a heartbeat, a request, a set-up, an
# association in a second. What is believed at first is another proportion.
TRULY = (60e-6, 18e-6, 15e-6, 500e-6, 4e-6)
MANY = 10_000
"""Elements, each over an association of its own."""


class MachineTestCase(SynchronousTestCase):
    """A registrar on a machine whose time is imagined."""

    def setUp(self) -> None:
        self.registrar = Registrar(1, profile=DEFAULT, random=Random(1))
        self.shares = self.registrar.supervision.shares
        self.used, self.now, self.beats = 10.0, 5.0, 0
        self.begin()

    def begin(self) -> None:
        """Measure from now on."""
        self.costs = Costs(self.registrar, lambda: self.beats, lambda: self.used, lambda: self.now)

    def near(self, wanted: float, is_: float, by: float) -> None:
        """Up to this part of it."""
        self.assertTrue(abs(is_ - wanted) <= by * wanted, f"{is_} is not {wanted}")

    def pass_time(self, used: float, asked: int, beats: int = 0, resolved: int = 0, met: int = 0) -> bool:
        """A look later."""
        self.now += EVERY
        self.used += used
        self.beats += beats
        counts = self.registrar.counts
        counts.asked += asked
        counts.resolved += resolved
        counts.met += met
        return self.costs.look()

    def measure(self, used: float, asked: int) -> None:
        """Until it is known well."""
        for _ in range(10):
            self.pass_time(used, asked)


class CostTests(MachineTestCase):
    @property
    def cost(self) -> float:
        """In microseconds."""
        return 1e6 * self.shares.cost

    def test_nothing_else_to_do(self) -> None:
        """The first measurement is believed, but that it is so cheap step by step; later ones by a part."""
        self.pass_time(0.3, 1000)
        self.near(300.0, self.cost, 0.01)
        self.measure(0.1, 1000)
        self.near(100.0, self.cost, 0.05)
        self.pass_time(0.12, 1000)
        self.near(110.0, self.cost, 0.05)
        for _ in range(10):
            self.pass_time(0.12, 1000)
        self.near(120.0, self.cost, 0.01)

    def test_too_few(self) -> None:
        """What an idle process does besides is not taken for supervision, and it is not woken again soon for that."""
        self.assertFalse(self.pass_time(1.0, ENOUGH - 1))
        self.near(1e6 * COST, self.cost, 0.0)
        self.assertTrue(self.pass_time(0.3, 1000))
        self.near(300.0, self.cost, 0.01)

    def test_seldom_asked(self) -> None:
        """Where they are many, and it just happens that few are asked, that may be another thing soon."""
        for number in range(MANY):
            self.shares.came(("10.0.0.1", number))
        self.assertTrue(self.pass_time(0.1, ENOUGH - 1))
        self.near(1e6 * COST, self.cost, 0.0)

    def test_beside_other_work(self) -> None:
        """What it took more than was believed is put down to what was never measured."""
        self.measure(0.1, 1000)
        self.pass_time(0.8, 1000, resolved=6000)
        self.near(100.0, self.cost, 0.05)

    def test_late(self) -> None:
        """Each time it is looked whether elements keep up."""
        for _ in range(100):
            self.shares.came(("10.0.0.1", 1))
            self.shares.keeping_up.asked("10.0.0.1")
            self.shares.keeping_up.late("10.0.0.1")
        self.pass_time(0.1, 0)
        self.assertEqual(2 * DEFAULT.keep_alive_interval, self.registrar.supervision.interval)
        self.assertTrue(self.pass_time(0.1, 0) or not self.shares.scarce)

    def test_not_believed(self) -> None:
        """For example a process that was debugged: there is a limit to what one may cost."""
        for _ in range(60):
            self.pass_time(100.0, 100)
        self.near(1e6 * MOST, self.cost, 0.0)
        for _ in range(60):
            self.pass_time(0.0, 100)
        self.near(1e6 * LEAST, self.cost, 0.0)

    def test_something_else_happened(self) -> None:
        """Once: nobody knows what that was, and it is no reason to double."""
        self.measure(0.1, 1000)
        self.pass_time(3.0, 1000)
        self.near(115.0, self.cost, 0.1)
        self.measure(0.1, 1000)
        self.near(100.0, self.cost, 0.02)

    def test_interval(self) -> None:
        """It follows from both: what one costs, and what all may."""
        for number in range(MANY):
            self.shares.came(("10.0.0.1", number))
        self.assertEqual(MANY * COST / (AIM * 0.25), self.registrar.supervision.interval)
        self.measure(0.05, 1000)
        self.near(MANY * 50e-6 / (AIM * 0.25), self.registrar.supervision.interval, 0.01)
        self.registrar.change_limits(Limits(supervision_percent=50))
        self.near(MANY * 50e-6 / (AIM * 0.5), self.registrar.supervision.interval, 0.01)


class CrowdTests(MachineTestCase):
    """Ten thousand elements, each over an association of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.truly = TRULY
        self.noise = Random(7)
        peer = TransportAddress(("10.0.0.1",), 5000, 40000)
        for number in range(MANY):
            self.registrar.association_up(number, peer, 0.0)
            self.shares.came(("10.0.0.1", number))
        self.begin()

    def go_on(self, seconds: float, beats: int, resolved: int = 0, met: int = 0, dearer: float = 1.0) -> list[float]:
        """All are asked by the interval that holds, and send so many heartbeats a second together.

        @param resolved: so many are, within each look; set-ups are C{met}.
        @param dearer: how much more what is not for supervision takes than it should.
        @return: the intervals, as they were.
        """
        intervals = []
        for _ in range(round(seconds / EVERY)):
            # They are not asked evenly.
            asked = int(EVERY * MANY / self.registrar.supervision.interval * self.noise.uniform(0.5, 1.5))
            done = asked, beats * EVERY, resolved * dearer, met * dearer, MANY * EVERY
            used = sum(number * each for number, each in zip(done, self.truly, strict=True))
            self.pass_time(used * self.noise.uniform(0.95, 1.05), asked, int(beats * EVERY), resolved, met)
            intervals.append(self.registrar.supervision.interval)
        return intervals

    def right(self, beats: int) -> float:
        """The interval at which all of it takes a fifth of a core, or keep-alives half a quarter."""
        asked, beat, _, _, association = self.truly
        return MANY * asked / max(AIM * SHARE - beats * beat - MANY * association, LEAST_REST * SHARE)

    def test_settles(self) -> None:
        """Within 15 s, also while each sends heartbeats every other second; it was most of a minute."""
        self.go_on(15.0, beats=MANY // 4)
        self.near(self.right(MANY // 4), self.registrar.supervision.interval, 0.15)
        later = self.go_on(60.0, beats=MANY // 40)
        self.near(self.right(MANY // 40), later[-1], 0.1)

    def test_known_apart(self) -> None:
        """What associations take, and what a keep-alive takes."""
        self.go_on(10.0, beats=MANY // 2)
        self.go_on(60.0, beats=MANY // 40)
        asked, beat, _, _, association = self.truly
        self.near(MANY // 40 * beat + MANY * association, self.shares.fixed, 0.25)
        self.near(1e6 * asked, 1e6 * self.shares.cost, 0.15)

    def test_they_come_with_a_crowd(self) -> None:
        """The first thing that is seen is that they are set up."""
        self.go_on(EVERY, beats=MANY // 2, met=3000)
        self.near(self.right(MANY // 4), self.go_on(12.5, beats=MANY // 4)[-1], 0.15)

    def test_bursts(self) -> None:
        """A thousand come at once, and ten thousand resolutions, and take twice what they should."""
        self.go_on(30.0, beats=MANY // 10)
        before = self.registrar.supervision.interval
        for burst in ({"met": 1000}, {"resolved": 10_000}, {"met": 1000, "resolved": 10_000}):
            during = self.go_on(EVERY, beats=MANY // 10, dearer=2.0, **burst)
            self.assertLess(max(during + self.go_on(20.0, beats=MANY // 10)), 1.3 * before, burst)

    def test_nothing_is_left(self) -> None:
        """Associations alone take what supervision may: half of that is for keep-alives, and no interval is endless."""
        self.truly = (60e-6, 18e-6, 15e-6, 500e-6, 26e-6)
        intervals = self.go_on(120.0, beats=100)
        self.near(MANY * 60e-6 / (SHARE / 2), intervals[-1], 0.3)
        self.assertLess(max(intervals), MANY * COST / SHARE * 2)
        self.near(0.26, self.shares.fixed, 0.2)

    def test_another_machine(self) -> None:
        """It becomes slower by half: that is seen."""
        self.go_on(30.0, beats=MANY // 10)
        self.truly = tuple(1.5 * each for each in TRULY)  # type: ignore[assignment]
        self.near(self.right(MANY // 10), self.go_on(30.0, beats=MANY // 10)[-1], 0.15)


class LookingTests(SynchronousTestCase):
    def test_seldom(self) -> None:
        """While there is nothing to see, it wakes a registrar less often."""
        gc.disable()
        self.addCleanup(gc.enable)
        clock, garbage = Clock(), Garbage()
        garbage.start()
        self.addCleanup(garbage.stop)
        looking = LookingAfter(clock, garbage)
        looking.start(Costs(Registrar(1, profile=DEFAULT, random=Random(1)), lambda: 0))
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
        looking.soon()
        self.assertEqual([EVERY], [next_after()])
