"""Five of a hundred packets are lost each way: who lives stays in its pool, and who does not is gone in time.

C{python -m tests.simulation.losses} plays fifty times as long.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.losses import lose


class LossTests(SynchronousTestCase):
    """The profile C{default}."""

    def test_alive(self) -> None:
        """Nobody who lives is removed in a thousand element-seconds; a silent host is within a second."""
        outcome = lose(1, seconds=20.0)
        self.assertEqual((0, 1000.0), (outcome.removals, outcome.lives), outcome.trace)
        self.assertLess(outcome.slowest, 1.0)
