"""How C{rserpool demo} ends before its time: by Ctrl-C, by a reader who has enough, by SIGKILL, with its terminal."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.processes.harness import ROOT, Process, ProcessTests
from tests.processes.left import nothing_is_left

START = "import sys; from rserpool.cli.start import main; sys.exit(main())"
OPTIONS = ("--phase", "1", "--profile", "fast")


class EndTests(ProcessTests):
    """Nothing is left, and there is no traceback."""

    async def shows(self, *patterns: str, pty: bool = False) -> Process:
        """A demonstration that has come so far."""
        demo = self.launch(sys.executable, "-c", START, "demo", *OPTIONS, pty=pty)
        for pattern in patterns:
            await demo.says(pattern)
        return demo

    async def test_interrupted(self) -> None:
        """At once, and while pages are fetched."""
        for pattern in ("nothing is left", r"answered [1-9]"):
            demo = await self.shows(pattern)
            demo.signal("INT")
            self.assertEqual(130, await demo.ended)
            self.no_traceback(demo)
            await nothing_is_left(self)

    async def test_killed(self) -> None:
        """C{kill -9}, also where a part of it is frozen."""
        demo = await self.shows("ns-1 serves")
        frozen = next(line for line in demo.lines if "ns-1 serves, process " in line)
        os.kill(int(frozen.rpartition(" ")[2]), signal.SIGSTOP)
        demo.signal("KILL")
        self.assertEqual(-signal.SIGKILL, await demo.ended)
        await nothing_is_left(self)

    async def test_broken_pipe(self) -> None:
        """C{rserpool demo | head}: after the first lines, and in the midst of it."""
        for pattern in ("nothing is left", "ns-1 serves"):
            demo = await self.shows(pattern)
            transport: Any = demo.transport
            transport.closeChildFD(1)
            self.assertEqual(0, await demo.ended)
            self.no_traceback(demo)
            await nothing_is_left(self)

    async def test_terminal_closed(self) -> None:
        """Its window is closed."""
        demo = await self.shows("ns-1 .*serves", pty=True)
        transport: Any = demo.transport
        transport.loseConnection()
        await demo.ended
        await nothing_is_left(self)

    async def test_small_terminal(self) -> None:
        """It says so, and shows lines; there it is interrupted by what is typed."""
        small = "import fcntl, struct, termios; fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 10, 60, 0, 0))"
        demo = self.launch(sys.executable, "-c", f"{small}; {START}", "demo", *OPTIONS, pty=True)
        await demo.says("60 columns and 10 lines; the picture needs 80 and 24")
        await demo.says("ns-1 serves")
        transport: Any = demo.transport
        transport.write(b"\x03")
        self.assertEqual(130, await demo.ended)
        self.assertNotIn("\x1b", demo.text)
        await nothing_is_left(self)

    async def test_maker_killed(self) -> None:
        """C{kill -9} of C{make demo}: it passes nothing on."""
        make = shutil.which("make")
        if make is None or not (ROOT / ".venv" / ".installed-run").exists():
            raise SkipTest("nothing is installed for make demo here")
        # All is installed: this is not what is tried here.
        options = ("-o", ".venv/.installed-run", f"ARGS={' '.join(OPTIONS)}")
        process = self.launch(make, "demo", *options, path=str(ROOT))
        await process.says("ns-1 serves")
        process.signal("KILL")
        await nothing_is_left(self)
