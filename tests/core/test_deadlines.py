"""Deadlines: what is due, in which order, and how little they keep."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.deadlines import Deadlines


class DeadlinesTests(SynchronousTestCase):
    def test_due_in_order_of_time(self) -> None:
        deadlines: Deadlines[str] = Deadlines()
        deadlines.set("late", 3.0)
        deadlines.set("early", 1.0)
        deadlines.set("middle", 2.0)
        self.assertEqual(deadlines.next(), 1.0)
        self.assertEqual(list(deadlines.due(0.9)), [])
        self.assertEqual(list(deadlines.due(2.0)), ["early", "middle"])
        self.assertEqual(list(deadlines.due(2.0)), [])
        self.assertEqual(deadlines.next(), 3.0)
        self.assertEqual(len(deadlines), 1)

    def test_equal_times_in_the_order_they_were_set(self) -> None:
        deadlines: Deadlines[object] = Deadlines()
        keys = [object() for _ in range(20)]  # keys that cannot be compared
        for key in keys:
            deadlines.set(key, 1.0)
        self.assertEqual(list(deadlines.due(1.0)), keys)

    def test_set_again_replaces(self) -> None:
        deadlines: Deadlines[str] = Deadlines()
        deadlines.set("a", 1.0)
        deadlines.set("a", 5.0)
        self.assertEqual(deadlines.when("a"), 5.0)
        self.assertEqual(deadlines.next(), 5.0)
        self.assertEqual(list(deadlines.due(4.0)), [])
        deadlines.set("a", 2.0)
        self.assertEqual(list(deadlines.due(2.0)), ["a"])
        self.assertEqual(list(deadlines.due(9.0)), [])

    def test_cancel(self) -> None:
        deadlines: Deadlines[str] = Deadlines()
        deadlines.set("a", 1.0)
        deadlines.cancel("a")
        deadlines.cancel("never set")
        self.assertNotIn("a", deadlines)
        self.assertIsNone(deadlines.when("a"))
        self.assertIsNone(deadlines.next())
        self.assertEqual(list(deadlines.due(9.0)), [])

    def test_one_by_one(self) -> None:
        """What is cancelled or put off before its turn does not come; what is set meanwhile waits for the next time."""
        deadlines: Deadlines[str] = Deadlines()
        for key in "abcd":
            deadlines.set(key, 1.0)
        came = []
        for key in deadlines.due(2.0):
            came.append(key)
            deadlines.cancel("b")
            deadlines.set("c", 3.0)
            deadlines.set("new", 0.5)
        self.assertEqual(came, ["a", "d"])
        self.assertEqual(deadlines.next(), 0.5)
        self.assertEqual(list(deadlines.due(3.0)), ["new", "c"])

    def test_infinity_cancels_and_nan_is_refused(self) -> None:
        deadlines: Deadlines[str] = Deadlines()
        deadlines.set("a", 1.0)
        deadlines.set("a", math.inf)
        self.assertIsNone(deadlines.next())
        self.assertRaises(ValueError, deadlines.set, "a", math.nan)

    def test_resetting_often_does_not_pile_up(self) -> None:
        deadlines: Deadlines[int] = Deadlines()
        for round_ in range(1000):
            for key in range(10):
                deadlines.set(key, float(round_ + key))
        self.assertLessEqual(len(deadlines._heap), 2 * len(deadlines) + 16)
        for key in range(10):
            deadlines.cancel(key)
        self.assertLessEqual(len(deadlines._heap), 16)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.sampled_from("set cancel due".split()), st.integers(0, 5), st.integers(0, 20))))
    def test_like_a_plain_dict(self, steps: list[tuple[str, int, int]]) -> None:
        deadlines: Deadlines[int] = Deadlines()
        model: dict[int, tuple[float, int]] = {}
        for number, (verb, key, time) in enumerate(steps):
            if verb == "set":
                deadlines.set(key, float(time))
                model[key] = (float(time), number)
            elif verb == "cancel":
                deadlines.cancel(key)
                model.pop(key, None)
            else:
                expected = sorted((k for k, (when, _) in model.items() if when <= time), key=lambda k: model[k])
                self.assertEqual(list(deadlines.due(float(time))), expected)
                for k in expected:
                    del model[k]
            self.assertEqual(deadlines.next(), min((when for when, _ in model.values()), default=None))
            self.assertEqual(len(deadlines), len(model))
