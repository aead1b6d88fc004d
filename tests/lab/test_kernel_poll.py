"""The kernel's SCTP in the other reactor: the contract, in a process that polls."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, TestCase

from tests.lab import LabTests

ROOT = Path(__file__).parent.parent.parent


class PollTests(LabTests, TestCase):
    """Trial runs the tests in whatever reactor it has: there it is epoll's, as everywhere on Linux."""

    timeout = 120

    async def test_contract(self) -> None:
        """All of L{tests.lab.test_kernel}, with C{--reactor=poll}."""
        if type(reactor).__name__ == "PollReactor":
            raise SkipTest("this is the one")
        with tempfile.TemporaryDirectory() as place:
            trial = [
                "-m",
                "twisted.trial",
                "--reactor=poll",
                f"--temp-directory={place}/trial",
                "tests.lab.test_kernel",
            ]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            out, err, status = await getProcessOutputAndValue(sys.executable, trial, environment, place)
        self.assertEqual(0, status, (out + err).decode(errors="replace")[-3000:])
