"""C{rserpool} with a standard output that is closed, full, or knows few characters: a sentence, never a traceback."""

from __future__ import annotations

import os
import signal
import socket

from twisted.trial.unittest import SkipTest

from tests.processes.harness import RSERPOOL, Process, ProcessTests, free_address

WHILE = """
import os, sys
{prepare}
os.execv(sys.executable, [sys.executable, "-c", {command!r}, *sys.argv[1:]])
"""
CLOSED = "os.close(1)"
FULL = "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"


class StreamTests(ProcessTests):
    """What is printed is lost, and that is all."""

    def run_while(self, prepare: str, *arguments: str, **environment: str) -> Process:
        return self.spawn("-c", WHILE.format(prepare=prepare, command=RSERPOOL), *arguments, **environment)

    async def test_closed(self) -> None:
        """Nobody gets the output; sockets do not get it, either."""
        registrar = await self.registrar()
        process = self.run_while(CLOSED, "resolve", "nobody", "--registrar", registrar.text)
        self.assertEqual(await process.ended, 3, process.text)
        process = self.run_while(CLOSED, "--version")
        self.assertEqual((await process.ended, process.text), (0, ""))

    async def test_full(self) -> None:
        """The disk is full: one sentence, status 1."""
        if not os.path.exists("/dev/full"):
            raise SkipTest("this system has no /dev/full")
        for arguments in (
            ["--version"],
            ["--help"],
            ["resolve", "--help"],
            ["proxy", "www", "--listen", "0", "--registrar", f"{free_address()}:3863"],
        ):
            process = self.run_while(FULL, *arguments)
            self.assertEqual(await process.ended, 1, process.text)
            self.assertEqual(len(process.lines), 1, process.text)
            self.assertIn("No space left on device", process.text)

    async def test_nobody_told(self) -> None:
        """Whose sentence cannot be written ends all the same."""
        prepare = FULL.replace(", 1)", ", 2)")
        process = self.run_while(prepare, "status", f"{free_address()}:9901", "--timeout", "0.2")
        self.assertNotEqual(await process.ended, 0)

    async def test_few_characters(self) -> None:
        """A terminal that knows ASCII alone shows the others as escapes."""
        registrar = await self.registrar()
        element = self.element(registrar, pool="wörk☃")
        await element.says("registered as")
        process = self.rserpool(
            "resolve", "wörk☃", "--registrar", registrar.text, PYTHONIOENCODING="ascii", PYTHONUTF8="0"
        )
        self.assertEqual(await process.ended, 0, process.text)
        self.assertIn(r"pool w\xf6rk\u2603: 1 element", process.output)

    async def test_monitors(self) -> None:
        """A second monitor at the same port says so."""
        host = free_address()
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(first.close)
        first.bind((host, 2960))
        second = self.rserpool("monitor", "--listen", host)
        self.assertEqual(await second.ended, 1, second.text)
        self.assertEqual(len(second.lines), 1, second.text)

    async def test_interrupted(self) -> None:
        """Who interrupts a subcommand of twistd while it is being loaded gets no traceback."""
        for name in ("ns", "pe", "proxy", "classic"):
            process = self.spawn("-c", f"import rserpool.tap.{name}; raise KeyboardInterrupt")
            self.assertEqual((await process.ended, process.text), (-signal.SIGINT, ""))
