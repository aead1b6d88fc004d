"""What is left of a test: processes that it has started, or that those have started."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

MARK = "RSERPOOL_TESTED_BY"
"""The environment variable by which the processes of a test are known, whoever has started them."""


async def nothing_is_left(test: TestCase) -> None:
    """Wait until all processes of this test are gone."""
    if not Path("/proc/self/environ").exists():
        raise SkipTest("this system does not tell whose a process is")
    while any(_started_by(test, pid) for pid in os.listdir("/proc") if pid.isdigit()):
        await deferLater(reactor, 0.02)


def _started_by(test: TestCase, pid: str) -> bool:
    try:
        return f"{MARK}={test.id()}".encode() in Path("/proc", pid, "environ").read_bytes().split(b"\0")
    except OSError:
        return False
