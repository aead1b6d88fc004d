"""The clock of tests, and that of one process of a scope: calls that are moved come when they were moved to."""

from __future__ import annotations

from twisted.internet.error import AlreadyCalled
from twisted.internet.interfaces import IDelayedCall
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.testing import Timeline
from rserpool.testing.loop import GRAIN, Loop


class MovedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Timeline()
        self.came: list[float] = []

    def _note(self) -> None:
        self.came.append(self.clock.rightNow)

    def test_a_call_that_is_moved_on_comes_later(self) -> None:
        call = self.clock.callLater(1.0, self._note)
        call.reset(3.0)
        self.assertEqual([call], self.clock.getDelayedCalls())
        self.clock.advance(2.0)
        self.assertEqual([], self.came)
        call.delay(1.0)
        self.clock.advance(10.0)
        self.assertEqual([4.0], self.came)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_call_that_is_moved_on_and_back_comes_once(self) -> None:
        call = self.clock.callLater(1.0, self._note)
        call.reset(3.0)
        call.reset(0.5)
        call.delay(1.0)
        self.clock.advance(10.0)
        self.assertEqual([1.5], self.came)

    def test_a_call_that_is_moved_on_can_be_cancelled(self) -> None:
        call = self.clock.callLater(1.0, self._note)
        call.reset(3.0)
        call.cancel()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.clock.advance(10.0)
        self.assertEqual([], self.came)


class ProcessTests(SynchronousTestCase):
    """A timer of a process counts in the time of that process."""

    def setUp(self) -> None:
        self.clock = Timeline()
        self.loop = Loop(self.clock, 1000.0)
        self.came: list[float] = []

    def _note(self) -> None:
        self.came.append(self.clock.rightNow)

    def _assert_came(self, *expected: float) -> None:
        self.assertEqual(len(expected), len(self.came))
        for when, came in zip(expected, self.came, strict=True):
            self.assertTrue(when <= came <= when + 3 * GRAIN, f"{came} is not {when}")

    def test_it_is_what_twisted_says(self) -> None:
        call = self.loop.callLater(1.0, self._note)
        verifyObject(IDelayedCall, call)
        self.assertTrue(call.active())
        call.cancel()
        self.assertFalse(call.active())

    def test_what_is_due_while_the_loop_stands_still_may_be_cancelled(self) -> None:
        """And moved, by what comes before it: as in a reactor, whose calls are late for the same reason."""

        def come() -> None:
            second.cancel()
            third.reset(2.0)
            fourth.delay(4.0)

        first = self.loop.callLater(1.0, come)
        second = self.loop.callLater(2.0, self._note)
        third = self.loop.callLater(2.0, self._note)
        fourth = self.loop.callLater(2.0, self._note)
        self.loop.stall()
        self.clock.advance(3.0)
        self.assertEqual([True] * 4, [each.active() for each in (first, second, third, fourth)])
        self.loop.resume()
        self.assertEqual([False, False, True, True], [each.active() for each in (first, second, third, fourth)])
        self.clock.advance(10.0)
        self._assert_came(5.0, 6.0)

    def test_cancelling_it_twice(self) -> None:
        call = self.loop.callLater(1.0, self._note)
        self.loop.stall()
        self.clock.advance(2.0)
        call.cancel()
        self.assertFalse(call.active())
        self.loop.resume()
        self.assertEqual([], self.came)
        self.assertRaises(AlreadyCalled, call.cancel)

    def test_it_is_due_on_the_clock_of_its_process(self) -> None:
        self.loop.drift(2.0)
        call = self.loop.callLater(4.0, self._note)
        self.clock.advance(1.0)
        self.assertAlmostEqual(1004.0, call.getTime(), 5)
        self.assertAlmostEqual(1002.0, self.loop.seconds(), 5)

    def test_what_is_moved_while_its_clock_runs_fast_comes_as_early(self) -> None:
        self.loop.drift(2.0)
        call = self.loop.callLater(10.0, self._note)
        self.clock.advance(1.0)
        call.reset(6.0)
        self.clock.advance(10.0)
        self._assert_came(4.0)

    def test_what_is_put_off_while_its_clock_runs_slowly_comes_as_late(self) -> None:
        call = self.loop.callLater(1.0, self._note)
        self.loop.drift(0.5)
        call.delay(1.0)
        self.clock.advance(10.0)
        self._assert_came(3.0)

    def test_a_deadline_that_comes_nearer_is_met_though_the_clock_was_fast(self) -> None:
        self.loop.drift(1.35)
        call = self.loop.callLater(10.0, self._note)
        call.reset(9.0)
        self.clock.advance(20.0)
        self._assert_came(9.0 / 1.35)
