"""Status reports of rsplib's registrar, element and user, as C{rserpool monitor} shows them."""

from __future__ import annotations

import json
import shutil
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from tests.lab import LabTests
from tests.processes.harness import Process, ProcessTests, all_of

HOST = "10.11.12.1"
REPORT = (f"-cspserver={HOST}:2960", "-cspinterval=500")


class StatusTests(LabTests, ProcessTests):
    """rsplib over the kernel's SCTP, reports over UDP."""

    def rsplib(self, name: str, *arguments: str) -> Process:
        """Start one of rsplib's programs."""
        program = shutil.which(name)
        if program is None:
            raise SkipTest(f"{name} is not installed")
        process = Process()
        reactor.spawnProcess(process, program, [program, *arguments], self.environment())

        async def end() -> None:
            process.signal("KILL")
            await process.ended

        self.addCleanup(end)
        return process

    async def test_all_three(self) -> None:
        """All of them in one monitor, and what is known of each."""
        monitor = self.rserpool("monitor", "--json", "--listen", HOST)
        self.rsplib(
            "rspregistrar", "-identifier=0x11111111", f"-asap={HOST}:3863", f"-enrp={HOST}:9901",
            "-asapannounce=off", "-enrpannounce=off", *REPORT,
        )  # fmt: skip
        await monitor.says('"registrar", "identifier": "0x11111111".*"status": "0.0. PEs in 0 Pools, 0 Peers"')
        element = self.rsplib(
            "rspserver", "-echo", f"-registrar={HOST}:3863", "-asapannounce=off", "-policy=LeastUsed", *REPORT
        )
        theirs = await monitor.says('"kind": "element", "identifier": "(0x[0-9a-f]+)"')
        self.rsplib("rspterminal", "-poolhandle=EchoPool", f"-registrar={HOST}:3863", "-asapannounce=off", *REPORT)
        await all_of(
            monitor.says('"registrar", "identifier": "0x11111111".*"status": "1.1. PEs in 1 Pool, 0 Peers"'),
            monitor.says('"kind": "element".*"status": "1 Session".*"ppid": 11'),
            monitor.says('"kind": "user".*"ppid": 11'),
        )
        lines: list[dict[str, Any]] = [json.loads(line) for line in monitor.output.splitlines()]
        for line in lines:
            self.assertEqual(line["interval"], 0.5)
            self.assertLess(line["uptime"], 60)
            self.assertIn(HOST, line["location"])
        (peer,) = next(line["peers"] for line in reversed(lines) if line["kind"] == "element" and line["peers"])
        self.assertEqual((peer["kind"], peer["ppid"], peer["protocol"]), ("registrar", 11, "sctp"))
        element.signal("INT")
        await monitor.says(f'"change": "-".*"{theirs[1]}".*"state": "gone"')
