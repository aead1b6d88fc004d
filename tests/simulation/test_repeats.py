"""The same seed gives the same trace, byte for byte, in any process."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.schedule import play

SEEDS = (3, 28)
PROGRAM = f"""
import sys
from tests.simulation.schedule import play
for seed in {SEEDS!r}:
    sys.stdout.write(play(seed, keep_trace=True).trace)
"""


class RepeatTests(SynchronousTestCase):
    """A seed that fails can be looked into again."""

    def test_twice(self):
        """In one process, and in another with other hashes of text."""
        here = "".join(play(seed, keep_trace=True).trace for seed in SEEDS)
        environment = {**os.environ, "PYTHONHASHSEED": "12345"}
        there = subprocess.run(
            [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment, cwd=_root()
        )
        self.assertTrue(here == there.stdout, "the traces differ")
        self.assertTrue(here == "".join(play(seed, keep_trace=True).trace for seed in SEEDS), "the traces differ")


def _root() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
