"""An operator at work: lists, drains, evicts and retires by the command line, while users are served all the time."""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import Any

from tests.processes.harness import Process, ProcessTests
from tests.processes.load import Load

A, B = 0x0A, 0x0B


class OperatorTests(ProcessTests):
    timeout = 180

    async def printed(self, *words: str, status: int = 0, **environment: str) -> str:
        """What a command prints."""
        process = self.rserpool(*words, **environment)
        self.assertEqual(status, await process.ended, process.text)
        return process.output if status == 0 else process.text

    async def begin(self) -> tuple[Any, str, Process, Process, Load]:
        folder = TemporaryDirectory(prefix="rserpool-")  # a path that is short enough for a socket
        self.addCleanup(folder.cleanup)
        socket = f"{folder.name}/admin.sock"
        registrar = await self.registrar("--admin", socket)
        one = self.element(registrar, "--identifier", str(A))
        two = self.element(registrar, "--identifier", str(B))
        user = self.user(registrar)
        await self.watch(user).holds(A, B)
        load = Load(user, b"begin\nend\n", lambda answer: answer == b"begun\ndone\n")
        self.addCleanup(load.stop)
        await load.more()
        return registrar, socket, one, two, load

    async def test_drain_and_undrain(self) -> None:
        """The lists come by the admin interface, and by ENRP where none is named."""
        registrar, socket, one, _, load = await self.begin()
        enrp = f"{registrar.host}:9901/{registrar.address.encapsulation}".removesuffix("/0")
        listed = json.loads((await self.printed("elements", "--registrar", enrp, "--json")).splitlines()[0])
        self.assertEqual(("0x0000000a", "pool"), (listed["identifier"], listed["pool"]))
        client = await self.client(listed["transport"]["addresses"][0], listed["transport"]["port"])
        client.transport.write(b"begin\n")
        await client.gets(b"begun\n")
        draining = self.rserpool("drain", "pool", "0x0a", "--wait", RSERPOOL_ADMIN=socket)
        await draining.says("element 0x0000000a of pool drains: [1-9][0-9]* connections? (is|are) left")
        await one.says("pool: drains, as an operator wants")
        self.assertRegex(await self.printed("elements", "--admin", socket), r"0x0000000a .* drains \([0-9]+ open\)")
        client.transport.write(b"end\n")
        self.assertEqual(b"begun\ndone\n", await client.lost)
        await draining.says("no connections are left")
        self.assertEqual(0, await draining.ended)
        self.assertIsNone(one.status)
        await load.more()
        self.assertIn("serves again", await self.printed("undrain", "pool", "0x0a", "--admin", socket))
        await load.more()
        await load.stop()
        self.assertEqual([], load.lost)

    async def test_evict_and_retire(self) -> None:
        registrar, socket, one, two, load = await self.begin()
        tracing = self.rserpool("trace", "--admin", socket, "--count", "2")
        await tracing.says("-> .*  ASAP EndpointKeepAlive")
        self.assertEqual(0, await tracing.ended)
        self.assertIn("this one is the last of its scope", await self.printed("retire", socket, status=1))
        await self.printed("evict", "pool", "0x0a", "--for", "10m", "--admin", socket)
        await registrar.process.says("pool: element 0x0000000a removed: evicted by an operator")
        await one.says("an operator has evicted this element for a while")
        await load.more()
        self.assertRegex(await self.printed("elements", "--admin", socket), r"0x0000000a .* evicted \([0-9]+ s\)")
        enrp = f"{registrar.host}:9901/{registrar.address.encapsulation}".removesuffix("/0")
        another = f"{socket}2"
        other = await self.registrar("--peer", enrp, "--admin", another)
        await other.process.says("ready: 1 elements")
        # It is not the element's home, which does it all the same.
        unknown = await self.printed("drain", "poool", "0x0b", "--admin", another, status=3)
        self.assertIn("no pool is named 'poool'", unknown)
        await self.printed("drain", "pool", "0x0b", "--admin", another)
        await two.says("pool: drains, as an operator wants")
        self.assertIn("serves again", await self.printed("undrain", "pool", "0x0b", "--admin", another))
        elsewhere = await self.printed("retire", "0xA", "--admin", socket, status=2)
        self.assertIn("by its own admin interface alone, so name that of this one with --admin", elsewhere)
        retired = await self.printed("retire", socket)
        self.assertRegex(retired, "^registrar 0x[0-9a-f]{8}: 1 elements are handed over\nit has ended\n$")
        self.assertEqual(0, await registrar.process.ended)
        await two.says("home registrar is .*" + other.host)
        await load.more()
        await load.stop()
        self.assertEqual([], load.lost)
        self.no_traceback(registrar.process, one, two, other.process)
