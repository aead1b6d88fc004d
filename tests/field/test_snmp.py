"""A real SNMP agent (Debian's snmpd) is told by AgentX what registrars, elements and a proxy know, and is walked."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue

from tests.names.loopback import free_port
from tests.processes.harness import Process, ProcessTests, Registrar

OBJECTS = ".1.3.6.1.3.125.1"
TRIES = 60
CONFIGURED = """
agentaddress udp:127.0.0.1:{port}
rocommunity public 127.0.0.1
master agentx
agentXSocket {socket}
"""


class SnmpTests(ProcessTests):
    """Two registrars, some elements and a proxy of one host, and one agent."""

    timeout = 240

    async def test_walked(self) -> None:
        """All three groups are there; an element that is killed goes; an agent that comes back is told all again."""
        if shutil.which("snmpbulkwalk") is None or self.snmpd() is None:
            raise SkipTest("apt-get install snmpd snmp")
        self.port, self.home = free_port(), Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.socket = str(Path("/tmp") / f"rserpool-agentx-{free_port()}")  # noqa: S108  # a path of a socket is short
        self.addCleanup(Path(self.socket).unlink, missing_ok=True)
        agent = await self.agent()
        one = await self.registrar("--profile", "fast", "--agentx", self.socket)
        two = await self.registrar("--profile", "fast", "--agentx", self.socket)
        elements = [self.element(one, "--profile", "fast", "--agentx", self.socket) for _ in range(3)]
        identifiers = [(await each.says("registered as 0x([0-9a-f]+)"))[1] for each in elements]
        await self.proxied(one)
        numbers = {int(each, 16) for each in identifiers}
        await self.until(lambda there: column(there, "1.4.1.2") == numbers and len(column(there, "2.1.1.4")) == 3)
        await self.until(lambda there: len(rows(there, "1.1.1.3")) == 2 and len(rows(there, "3.1.1.3")) == 1)

        elements[0].signal("KILL")
        numbers.discard(int(identifiers[0], 16))
        await self.until(lambda there: column(there, "1.4.1.2") == column(there, "2.1.1.4") == numbers)

        agent.signal("TERM")
        await agent.ended
        await one.process.says("no SNMP agent")
        await self.agent()
        await self.until(lambda there: len(rows(there, "1.1.1.3")) == 2 and column(there, "2.1.1.4") == numbers)
        await self.until(lambda there: len(rows(there, "3.1.1.3")) == 1)
        self.no_traceback(one.process, two.process, *elements)

    @staticmethod
    def snmpd() -> str | None:
        """The agent."""
        return shutil.which("snmpd", path="/usr/sbin:/usr/local/sbin:/usr/bin")

    async def agent(self) -> Process:
        """An agent with a configuration and a state of its own."""
        (self.home / "agent.conf").write_text(CONFIGURED.format(port=self.port, socket=self.socket))
        process = Process()
        command = [self.snmpd() or "", "-f", "-Lo", "-C", "-c", str(self.home / "agent.conf"), "-I", "-smux"]
        environment = {"SNMP_PERSISTENT_DIR": str(self.home), "SNMPCONFPATH": str(self.home), "HOME": str(self.home)}
        reactor.spawnProcess(process, command[0], command, env=environment)

        async def end() -> None:
            process.signal("KILL")
            await process.ended

        self.addCleanup(end)
        await process.says("NET-SNMP version")
        return process

    async def proxied(self, registrar: Registrar) -> None:
        """A proxy, which is a pool user."""
        where = ("--registrar", registrar.text, "--profile", "fast", "--agentx", self.socket)
        port = free_port()
        proxy = self.twistd("rserpool-proxy", *where, "--pool", "www", "--listen", f"tcp:{port}:interface=127.0.0.1")
        await proxy.says("is told what is here")

    async def walk(self) -> str:
        """All there is: C{OID = VALUE} in lines."""
        where = ("-v2c", "-c", "public", "-On", "-Oe", f"127.0.0.1:{self.port}", OBJECTS)
        out, errors, status = await getProcessOutputAndValue(
            shutil.which("snmpbulkwalk") or "", where, {"SNMPCONFPATH": str(self.home)}
        )
        self.assertNotIn(b"not increasing", errors)
        return out.decode() if status == 0 else ""

    async def until(self, condition: Any) -> None:
        """Wait until a walk shows this."""
        there = ""
        for _ in range(TRIES):
            there = await self.walk()
            if condition(there):
                return
            await deferLater(reactor, 1.0)
        raise AssertionError(f"it is never so; there is\n{there}")


def rows(there: str, name: str) -> list[str]:
    """The values of a column."""
    return re.findall(rf"^{re.escape(OBJECTS)}\.{re.escape(name)}\.[\d.]+ = (.*)$", there, re.MULTILINE)


def column(there: str, name: str) -> set[int]:
    """The numbers in a column."""
    return {int(value.rpartition(" ")[2]) for value in rows(there, name)}
