"""No message makes a registrar work for long, whatever it is about: what there is a lot of is done bit by bit."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.hostile.worst import CASES, search
from tests.work import calls

LARGEST = 500
"""So many times the calls of a resolution, which are 39, has the worst turn: a list of 256 registrars. Calls are
the same everywhere; in time, by C{python -m tests.hostile.worst}, it is less than 200 times a resolution."""


class WorstTests(SynchronousTestCase):
    def test_counted(self) -> None:
        costs = search(600, calls)
        self.assertEqual(set(costs), set(CASES))
        self.assertEqual({}, {name: cost for name, cost in costs.items() if cost > LARGEST})
