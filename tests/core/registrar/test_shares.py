"""Who registers a lot is asked less often, and nobody else is (RFC 5352 section 3.5)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.registrar.keeping_up import AT_ONCE, ENOUGH, SLOWEST
from rserpool.core.registrar.shares import AIM, COST, SHARE, Group, Shares
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

RATE = AIM * SHARE / COST
"""Keep-alives a second that all together may have."""


class ShareTests(SynchronousTestCase):
    def shares(self, *groups: tuple[Group, int]) -> Shares:
        shares = Shares(0.5)
        for group, number in groups:
            for _ in range(number):
                shares.came(group)
        return shares

    def test_enough_for_all(self) -> None:
        shares = self.shares((("a", 1), 150), (("b", 2), 100))
        self.assertEqual((shares.interval(("a", 1), 0.0), shares.mean), (0.5, 0.5))

    def test_spread(self) -> None:
        """By little where all are asked as the profile has it; by more where that is stretched, and never sooner."""
        for number, least, most in (
            (100, 0.96, 1.04),
            (300, 0.5 / 0.5333333, 2 - 0.5 / 0.5333333),
            (20_000, 0.75, 1.25),
        ):
            shares = Shares(0.5, 0.04)
            for _ in range(number):
                shares.came(("a", 1))
            for random, wanted in ((0.0, least), (1.0, most)):
                self.assertAlmostEqual(wanted, shares.pause(("a", 1), 0.0, random) / shares.mean, 5)
            self.assertAlmostEqual(0.5 * shares.mean, shares.pause(("a", 1), 0.0, 0.0, 0.5))

    def test_what_associations_take(self) -> None:
        """That is not left for keep-alives; but half of all is."""
        shares = self.shares((("a", 1), 10_000))
        shares.measured(COST, 0.05)
        self.assertAlmostEqual(10_000 * COST / (AIM * 0.25 - 0.05), shares.mean)
        self.assertAlmostEqual(shares.mean, shares.interval(("a", 1), 0.0))
        for fixed in (0.2, 0.3, 3.0):
            shares.measured(COST, fixed)
            self.assertAlmostEqual(10_000 * COST / 0.125, shares.mean)
        shares.allow(50)
        shares.measured(COST, 0.05)
        self.assertAlmostEqual(10_000 * COST / (AIM * 0.5 - 0.05), shares.mean)
        self.assertAlmostEqual(shares.mean, shares.interval(("a", 1), 0.0))

    def look(self, shares: Shares, where: str, asked: int, late: int) -> None:
        """A while in which so many were asked at a machine, and so many of them were late."""
        for _ in range(asked):
            shares.keeping_up.asked(where)
        for _ in range(late):
            shares.keeping_up.late(where)
        shares.look()

    def test_they_do_not_keep_up(self) -> None:
        """Many answers are late: those of that machine are asked less often, and then step by step as before."""
        shares = self.shares((("a", 1), 100), (("b", 2), 100))
        told = []
        for late in (60, 60, 40, 40, 0, 0):
            self.look(shares, "a", 200, late)
            told.append(round(shares.interval(("a", 1), 0.0), 3))
            self.assertEqual(0.5, shares.interval(("b", 2), 0.0))
            self.assertAlmostEqual((shares.interval(("a", 1), 0.0) + 0.5) / 2, shares.mean)
            self.assertEqual(shares.scarce, shares.mean > 0.5)
        self.assertEqual([1.0, 2.0, 1.4, 0.98, 0.686, 0.5], told)
        for _ in range(10):
            self.look(shares, "a", 200, 200)
        self.assertEqual(SLOWEST * 0.5, shares.interval(("a", 1), 0.0))
        self.assertEqual(0.5, shares.interval(("b", 2), 0.0))

    def test_who_is_gone_does_not_keep_up(self) -> None:
        shares = self.shares((("a", 1), 100))
        for _ in range(200):
            shares.keeping_up.asked("a")
        for _ in range(ENOUGH + 1):
            shares.keeping_up.missed("a")
        shares.look()
        self.assertEqual(1.0, shares.interval(("a", 1), 0.0))

    def test_a_few_are_late(self) -> None:
        """Packets are lost: that is no reason."""
        shares = self.shares((("a", 1), 100))
        for asked, late in ((60, ENOUGH), (1_000, 250)):
            self.look(shares, "a", asked, late)
            self.assertEqual(0.5, shares.interval(("a", 1), 0.0))

    def test_all_have_left(self) -> None:
        """It matters to nobody, and is forgotten soon."""
        shares = self.shares((("a", 1), 100))
        self.look(shares, "a", 200, 200)
        for _ in range(100):
            shares.left(("a", 1))
        self.look(shares, "a", 0, 0)
        self.assertEqual(0.5, shares.mean)
        self.look(shares, "a", 0, 0)
        self.assertFalse(shares.scarce)

    def test_asked_again(self) -> None:
        """So many as packets are lost, and some more at once; what one machine does matters to no other."""
        keeping_up = self.shares().keeping_up
        for _ in range(1_000):
            keeping_up.asked("a")
        self.assertFalse(keeping_up.busy("a"))
        self.assertEqual([True] * AT_ONCE + [False] * 36, [keeping_up.late("a") for _ in range(100)])
        keeping_up.asked("b")
        self.assertEqual((True, False), (keeping_up.busy("a"), keeping_up.busy("b")))
        self.assertTrue(keeping_up.late("b"))
        keeping_up.look()
        for _ in range(8):
            keeping_up.asked("a")
        self.assertEqual([True, True, False], [keeping_up.late("a") for _ in range(3)])

    def test_gently(self) -> None:
        """It may be much dearer at once, and becomes cheaper step by step: within 15 s, as measurements come."""
        shares = self.shares((("a", 1), 10_000))
        told = []
        for _ in range(6):
            shares.measured(COST / 8, 0.0)
            told.append(round(shares.cost / COST, 3))
        self.assertEqual([0.7, 0.49, 0.343, 0.24, 0.168, 0.125], told)
        shares.measured(2 * COST, 0.0)
        self.assertEqual(2 * COST, shares.cost)

    def test_the_many_pay(self) -> None:
        """One association with 20,000, and a hundred with one: these are asked as ever, that has the rest."""
        others = [((f"m{number}", number), 1) for number in range(100)]
        shares = self.shares((("many", "m"), 20_000), *others)
        self.assertEqual(shares.interval(("m7", 7), 0.0), 0.5)
        self.assertAlmostEqual(shares.interval(("many", "m"), 0.0), 20_000 / (RATE - 200))

    def test_many_associations_of_one_machine(self) -> None:
        """They are one, for other machines; among each other each has its part."""
        crowd = [(("crowd", number), 10) for number in range(2_000)]
        shares = self.shares((("crowd", "one"), 1), (("else", "e"), 5), *crowd)
        self.assertEqual(shares.interval(("else", "e"), 0.0), 0.5)
        level = (RATE - 10) / 2_001
        self.assertAlmostEqual(shares.interval(("crowd", "one"), 0.0), 1 / level)
        self.assertAlmostEqual(shares.interval(("crowd", 1), 0.0), 10 / level)

    def test_alike(self) -> None:
        """Where all have the same, it is the mean; all together never have more than there is."""
        shares = self.shares(*[((f"m{number}", number), 100) for number in range(100)])
        self.assertAlmostEqual(shares.interval(("m1", 1), 0.0), shares.mean)
        uneven = [((f"m{number % 7}", number), 1 + number * number % 400) for number in range(60)]
        shares = self.shares(*uneven)
        used = sum(number / shares.interval(group, 0.0) for group, number in uneven)
        self.assertLessEqual(used, RATE * 1.0001)
        self.assertGreater(used, RATE * 0.99)

    def test_one_of_two_associations_leaves(self) -> None:
        """The other one of its machine is still there, and has all of its part."""
        shares = self.shares((("a", 1), 1), (("a", 2), 1_000))
        shares.left(("a", 1))
        self.assertAlmostEqual(shares.interval(("a", 2), 0.0), 1_000 / RATE)

    def test_who_leaves(self) -> None:
        shares = self.shares((("a", 1), 1_000), (("b", 2), 1_000))
        before = shares.interval(("a", 1), 0.0)
        for _ in range(1_000):
            shares.left(("b", 2))
        self.assertAlmostEqual(shares.interval(("a", 1), 0.0), before / 2)


class FloodTests(SynchronousTestCase):
    def test_a_silent_host_is_noticed_as_soon_as_before(self) -> None:
        """However many elements another one registers: it was 17 s, with 20,000 of them."""
        stage = RegistrarStage()
        stage.up("honest")
        stage.up("flood", host="10.0.6.6")
        for number in range(1, 5_001):
            stage.register("flood", b"flood", element(number, host="10.0.6.6"))
        stage.register("honest", b"pool", element(1))
        for _ in range(40):
            for message in stage.sent("honest", stage.pass_time(0.25)):
                if isinstance(message, asap.EndpointKeepAlive):
                    stage.tell("honest", asap.EndpointKeepAliveAck(b"pool", 1))
        silent = stage.now
        while stage.registrar.handlespace.pool(b"pool") is not None:
            effects = stage.pass_time(0.1)
        self.assertIn(ElementRemoved(b"pool", 1, "unreachable"), stage.notified(effects, ElementRemoved))
        most = 1.5 * DEFAULT.keep_alive_interval + DEFAULT.keep_alive_timeout
        self.assertLessEqual(stage.now - silent, most + 0.1)
