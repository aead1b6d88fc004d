"""Status reports of real processes: C{rserpool monitor} shows them, and so does rsplib's C{cspmonitor}."""

from __future__ import annotations

import json
import shutil
import socket
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from tests.processes.harness import Process, ProcessTests, all_of, free_address


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
        self.assertRegex(monitor.text, r"^rserpool monitor: .*127.0.0.1:\d+.*Address already in use")
        self.assertRegex(once.text, r"^rserpool monitor: nobody reported to 127.0.0.1:\d+ within 0.2 s$")
