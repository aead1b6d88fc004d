"""Deadlines of elements: put off cheaply, due in order of time."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.element import Element
from tests.core.handlespace.elements import identifiers


class ElementDeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.deadlines = ElementDeadlines()
        self.elements = [Element(b"pool", identifier) for identifier in range(6)]

    def test_due_in_order_of_time(self) -> None:
        for number, when in enumerate([5.0, 1.0, 3.0]):
            self.deadlines.set(self.elements[number], when)
        self.assertEqual(self.deadlines.next(), 1.0)
        self.assertEqual(self.deadlines.due(0.5), [])
        self.assertEqual(identifiers(self.deadlines.due(3.0)), [1, 2])
        self.assertEqual((self.deadlines.next(), len(self.deadlines)), (5.0, 1))
        self.assertEqual(self.elements[1].wake, math.inf)

    def test_put_off(self) -> None:
        early, late = self.elements[:2]
        self.deadlines.set(early, 1.0)
        self.deadlines.set(late, 2.0)
        self.deadlines.set(early, 3.0)
        self.assertEqual(early.queued, (1.0, 1))  # nothing has moved
        self.assertEqual(self.deadlines.next(), 2.0)
        self.assertEqual(identifiers(self.deadlines.due(9.0)), [1, 0])

    def test_brought_forward(self) -> None:
        self.deadlines.set(self.elements[0], 5.0)
        self.deadlines.set(self.elements[0], 1.0)
        self.assertEqual(self.deadlines.next(), 1.0)
        self.assertEqual(identifiers(self.deadlines.due(9.0)), [0])

    def test_discard(self) -> None:
        for element in self.elements:
            self.deadlines.set(element, 1.0)
        for element in self.elements[:5]:
            self.deadlines.discard(element)
        self.deadlines.discard(self.elements[0])
        self.assertEqual(len(self.deadlines), 1)
        self.assertEqual(identifiers(self.deadlines.due(1.0)), [5])
        self.assertEqual((self.deadlines.next(), self.deadlines.due(9.0)), (None, []))

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(
            st.tuples(st.sampled_from("set set discard due".split()), st.integers(0, 5), st.integers(0, 20)),
            max_size=60,
        )
    )
    def test_like_a_plain_dict(self, steps: list[tuple[str, int, int]]) -> None:
        deadlines = ElementDeadlines()
        elements = [Element(b"pool", identifier) for identifier in range(6)]
        model: dict[int, float] = {}
        for verb, which, time in steps:
            if verb == "set":
                deadlines.set(elements[which], float(time))
                model[which] = float(time)
            elif verb == "discard":
                deadlines.discard(elements[which])
                model.pop(which, None)
            else:
                due = identifiers(deadlines.due(float(time)))
                self.assertEqual([model[each] for each in due], sorted(w for w in model.values() if w <= time))
                for each in due:
                    del model[each]
            self.assertEqual(deadlines.next(), min(model.values(), default=None))
            self.assertEqual(len(deadlines), len(model))
