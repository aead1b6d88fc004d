"""The programs of docs/ways-in.md, as they stand there."""

from __future__ import annotations

import re

from tests.processes.harness import ROOT, ProcessTests

TEXT = (ROOT / "docs" / "ways-in.md").read_text("utf-8")


class DocumentedTests(ProcessTests):
    """A web server by its endpoint string, and a program that asks it."""

    async def test_http(self) -> None:
        """C{twistd web} is an element; treq takes the pool's name; the server leaves when it stops."""
        registrar = await self.registrar()
        (command,) = re.findall(r"^    twistd -n --pidfile= (.*) --listen '(.*)'$", TEXT, re.M)
        where = registrar.text.replace(":", r"\:")
        server = self.twistd(*command[0].split(), "--listen", f"{command[1]}:registrar={where}", path=str(ROOT))
        await server.says("documents: registered as 0x")
        (program,) = re.findall(r"```python\n(import treq\n.*?)```", TEXT, re.S)
        there = (
            f"PoolUserService(reactor, [__import__('rserpool.core').core.parse_transport_address({registrar.text!r})])"
        )
        client = self.spawn("-c", program.replace("PoolUserService(reactor)", there))
        self.assertEqual(0, await client.ended, client.text)
        self.assertRegex(client.output, r"^200 [1-9][0-9]*$")
        server.signal("TERM")
        await server.ended
        await registrar.process.says("documents: element 0x[0-9a-f]+ removed: ")
        self.no_traceback(registrar.process, server, client)
