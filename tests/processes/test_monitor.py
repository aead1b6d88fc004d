"""Status reports of real processes: C{rserpool monitor} shows them, and so does rsplib's C{cspmonitor}."""

from __future__ import annotations

import curses
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import sys
import termios
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest

from rserpool.core.monitoring.report import Component, Kind, Report, encode
from tests.processes.harness import RSERPOOL, Process, ProcessTests, all_of, free_address


class MonitorTests(ProcessTests):
    """A registrar, an element and a user report to a monitor."""

    async def reporting_to(self, monitor: str) -> tuple[Process, Process, Process]:
        """Three that report twice a second."""
        options = ("--csp-server", monitor, "--csp-interval", "0.5")
        registrar = await self.registrar("--identifier", "0x00c0ffee", *options)
        element = self.element(
            registrar, "--identifier", "0x17", "--policy", "least-used:load=75%", *options, pool="www"
        )
        user = self.rserpool("watch", "www", "--registrar", registrar.text, *options)
        return registrar.process, element, user

    async def test_ours(self) -> None:
        """As lines of JSON; one of them dies, two say goodbye."""
        where = f"{free_address()}:2960"
        monitor = self.rserpool("monitor", "--json", "--listen", where, "--keep", "1")
        registrar, element, user = await self.reporting_to(where)
        await all_of(
            monitor.says('"registrar", "identifier": "0x00c0ffee".*"1 element .* 2 clients'),
            monitor.says('"element", "identifier": "0x00000017".*"www: registered".*"workload": 0.75'),
            monitor.says('"user".*watches www [(]1 element'),
        )
        element.signal("TERM")
        user.signal("INT")
        await all_of(
            monitor.says('"change": "-", "kind": "element".*"state": "gone"'),
            monitor.says('"change": "-", "kind": "user".*"state": "gone"'),
        )
        registrar.signal("KILL")
        await monitor.says('"change": "-", "kind": "registrar".*"state": "silent"')
        lines: list[dict[str, Any]] = [json.loads(line) for line in monitor.output.splitlines()]
        self.assertTrue(all(line["interval"] == 0.5 and line["source"] == "127.0.0.1" for line in lines))
        (peer,) = next(line["peers"] for line in reversed(lines) if line["kind"] == "user")
        self.assertEqual((peer["kind"], peer["protocol"], peer["ppid"]), ("registrar", "sctp", 11))
        monitor.signal("INT")
        self.assertEqual(await monitor.ended, 0)
        self.no_traceback(monitor, element, user)

    async def test_rsplib(self) -> None:
        """C{cspmonitor} of Debian's package rsplib-tools."""
        program = shutil.which("cspmonitor")
        if program is None:
            raise SkipTest("cspmonitor (Debian: rsplib-tools) is not installed")
        where = f"{free_address()}:2960"
        monitor = Process()
        arguments = [program, f"-localaddress={where}", "-updateinterval=250", "-full"]
        reactor.spawnProcess(monitor, program, arguments)

        async def end() -> None:
            monitor.signal("KILL")
            await monitor.ended

        self.addCleanup(end)
        _, element, _ = await self.reporting_to(where)
        await all_of(
            monitor.says(r'PR \$00c0ffee \[.*:3863\].*"1 element \(1 own\) in 1 pool, 0 peers, 2 clients"'),
            monitor.says(r'PE \$00000017 \[.*\].*A=1 L= 75% "www: registered"'),
            monitor.says(r'PU \$[0-9a-f]{14} \[.*\].*"home registrar .*; watches www \(1 element\)"'),
            monitor.says(r"-> PR \$00c0ffee ASAP/SCTP +duration=0:00:"),
            monitor.says("1 PRs.*1 PEs.*1 PUs"),
        )
        element.signal("TERM")
        await monitor.says("1 PRs.*0 PEs.*1 PUs", len(monitor.lines))

    async def test_port_taken(self) -> None:
        """One sentence."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            monitor = self.rserpool("monitor", "--listen", f"127.0.0.1:{port}")
            once = self.rserpool("monitor", "--once", "--for", "0.2", "--listen", "127.0.0.1:0")
            self.assertEqual([1, 1], await all_of(monitor.ended, once.ended))
        said = f"rserpool monitor: cannot listen on 127.0.0.1 port {port}: Address already in use"
        self.assertEqual([said], monitor.lines)
        self.assertRegex(once.text, r"^rserpool monitor: nobody reported to 127.0.0.1:\d+ within 0.2 s$")


class OnTerminal(Process):
    """A process with a terminal of its own.

    @ivar terminal: a descriptor of its other end, which is closed by L{closed} alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[tuple[re.Pattern[str], Deferred[None]]] = []

    def connectionMade(self) -> None:
        self.terminal = os.dup(self.transport.fd)
        self.resize(80, 24)
        self.before = termios.tcgetattr(self.terminal)

    def shows(self, pattern: str) -> Deferred[None]:
        """Fires when it writes this, from now on."""
        self.output = ""
        awaited: Deferred[None] = Deferred()
        self._shown.append((re.compile(pattern, re.DOTALL), awaited))
        return awaited

    def outReceived(self, data: bytes) -> None:
        self.output += data.decode("utf-8", "replace")
        for expression, awaited in list(self._shown):
            if expression.search(self.output):
                self._shown.remove((expression, awaited))
                awaited.callback(None)

    def processEnded(self, reason: Any) -> None:
        super().processEnded(reason)
        for expression, awaited in self._shown:
            awaited.errback(AssertionError(f"ended with {self.status}, and never wrote {expression.pattern!r}"))

    def types(self, keys: str) -> None:
        """Somebody presses keys."""
        os.write(self.terminal, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """It has another size."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def closed(self) -> None:
        """Its window is closed."""
        os.close(self.terminal)
        self.terminal = -1
        self.transport.connectionLost(Failure(ConnectionDone()))


def report_to(host: str) -> None:
    """An element of the pool www reports to the monitor there."""
    report = Report(Component(Kind.POOL_ELEMENT, 7), 1.0, 60.0, "at a place " + "." * 60 + "end", "www: registered")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reporter:
        reporter.sendto(encode(report), (host, 2960))


class TerminalTests(ProcessTests):
    """C{rserpool monitor} in a real terminal."""

    async def monitor(self) -> OnTerminal:
        """One that shows an element of the pool www."""
        try:
            curses.setupterm("xterm", 1)
        except curses.error:
            raise SkipTest("this machine does not know the terminal xterm") from None
        host = free_address()
        monitor = OnTerminal()
        command = (sys.executable, "-c", RSERPOOL, "monitor", "--listen", host)
        reactor.spawnProcess(monitor, command[0], command, self.environment(TERM="xterm"), usePTY=True)

        async def end() -> None:
            monitor.signal("KILL")
            await monitor.ended
            if monitor.terminal >= 0:
                os.close(monitor.terminal)

        self.addCleanup(end)
        await monitor.shows("Nobody has reported yet")
        shown = monitor.shows("0x00000007.*registered.*at a place")
        report_to(host)
        await shown
        return monitor

    def assert_restored(self, monitor: OnTerminal) -> None:
        """The terminal is as it was, and shows what it showed."""
        self.assertEqual(termios.tcgetattr(monitor.terminal), monitor.before)
        self.assertIn("\x1b[?1049l", monitor.output)

    async def test_keys(self) -> None:
        """They are heard, arrows too; another size is followed; q ends it."""
        monitor = await self.monitor()
        shown = monitor.shows("reports every")
        monitor.types("\x1b[B\x1bOB\r")
        await shown
        shown = monitor.shows("none of 1")
        monitor.types("/zz")
        await shown
        shown = monitor.shows("registered")
        monitor.types("\x1b")
        await shown
        shown = monitor.shows(r"[.]end")
        monitor.resize(160, 30)
        await shown
        monitor.types("q")
        self.assertEqual(await monitor.ended, 0)
        self.assert_restored(monitor)

    async def test_ends(self) -> None:
        """By any signal that asks for it; the terminal is as it was."""
        monitors = await all_of(self.monitor(), self.monitor(), self.monitor(), self.monitor())
        for name, monitor in zip(("INT", "TERM", "HUP", "QUIT"), monitors, strict=True):
            monitor.signal(name)
        for monitor in monitors:
            self.assertEqual(await monitor.ended, 0)
            self.assert_restored(monitor)

    async def test_closed(self) -> None:
        """Whose terminal is closed ends."""
        monitor = await self.monitor()
        monitor.closed()
        await monitor.ended

    async def test_no_terminal_to_draw_on(self) -> None:
        """A dumb one gets lines."""
        host = free_address()
        monitor = self.launch(sys.executable, "-c", RSERPOOL, "monitor", "--listen", host, pty=True, TERM="dumb")
        while "+ element 0x00000007" not in monitor.text:
            # It may not listen yet.
            report_to(host)
            await deferLater(reactor, 0.1)
        monitor.signal("HUP")
        await monitor.ended
        self.assertNotIn("\x1b", monitor.text)
