"""How C{rserpool demo} ends before its time: by Ctrl-C, by a reader who has enough, by SIGKILL."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.processes.harness import Process, ProcessTests


class EndTests(ProcessTests):
    """Nothing is left, and there is no traceback."""

    async def shows(self, *patterns: str) -> tuple[Process, list[int]]:
        """A demonstration that has come so far, and its processes."""
        demo = self.rserpool("demo", "--phase", "1", "--profile", "fast")
        for pattern in patterns:
            await demo.says(pattern)
        return demo, [int(line.rpartition(" ")[2]) for line in demo.lines if "serves, process" in line]

    async def gone(self, pids: list[int]) -> None:
        """None of them is left."""
        for pid in pids:
            while alive(pid):
                await deferLater(reactor, 0.05)

    async def test_interrupted(self) -> None:
        """While processes start, and while pages are fetched."""
        for pattern in ("ns-1 serves", r"answered [1-9]"):
            demo, pids = await self.shows(pattern)
            demo.signal("INT")
            self.assertEqual(130, await demo.ended)
            self.no_traceback(demo)
            await self.gone(pids)

    async def test_killed(self) -> None:
        demo, pids = await self.shows("web-1 serves")
        demo.signal("KILL")
        self.assertEqual(-signal.SIGKILL, await demo.ended)
        await self.gone(pids)

    async def test_broken_pipe(self) -> None:
        demo, pids = await self.shows("ns-1 serves")
        transport: Any = demo.transport
        transport.closeChildFD(1)
        self.assertEqual(0, await demo.ended)
        self.no_traceback(demo)
        await self.gone(pids)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
