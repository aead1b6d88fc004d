"""Pauses between attempts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    """Twice as long each time."""

    def test_a_row(self):
        pauses, pause = [], 0.0
        for _ in range(5):
            pause = Backoff(0.1, 1.0).after(pause)
            pauses.append(pause)
        self.assertEqual([0.1, 0.2, 0.4, 0.8, 1.0], pauses)
