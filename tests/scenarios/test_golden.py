"""The golden traces are as they were read and agreed to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.golden import FOLDER, STORIES, tell


class GoldenTests(SynchronousTestCase):
    """C{python -m tests.scenarios.golden} writes them anew."""

    maxDiff = None

    def test_as_agreed(self) -> None:
        for name in STORIES:
            self.assertEqual((FOLDER / f"{name}.txt").read_text(encoding="utf-8"), tell(name), f"{name}.txt differs")
