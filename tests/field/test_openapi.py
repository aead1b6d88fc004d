"""A public tester (schemathesis) asks what the OpenAPI file allows, and what it forbids, of each role."""

from __future__ import annotations

from pathlib import Path

from tests.processes.harness import ProcessTests, free_address

TOKEN = "0123456789abcdef0123456789abcdef"


class OpenApiTests(ProcessTests):
    """The admin interface of a registrar, an element and a proxy."""

    timeout = 300

    async def test_roles(self) -> None:
        """Each answers as the file says, whatever is asked; and nothing of it ends or disturbs it."""
        token = Path(self.mktemp()).absolute()
        token.touch(0o600)
        token.write_text(TOKEN)
        host = free_address()
        more = ("--admin-token", str(token), "--profile", "fast")
        registrar = await self.registrar("--admin", f"{host}:8080", *more, asap=f"{host}:3863")
        element = self.element(registrar, "--admin", f"{host}:8081", *more, pool="www")
        await element.says("registered as")
        where = ("--pool", "www", "--registrar", registrar.text, "--listen", f"tcp:0:interface={host}")
        proxy = self.twistd("rserpool-proxy", *where, "--admin", f"{host}:8082", *more)
        await proxy.says("admin interface")
        # The registrar comes last: what the tester finds there it drains and evicts.
        for port in (8082, 8081, 8080):
            tester = self.spawn("-m", "tests.field.schemathesis_cli", f"http://{host}:{port}/v1/openapi.json", TOKEN)
            status = await tester.ended
            self.assertEqual(0, status, tester.text)
            # It warns where a pool of its own invention is not there, as it has to be.
            self.assertRegex(tester.text, r"No issues found|\b([0-9]+) generated, \1 passed")
        for process in (registrar.process, element, proxy):
            self.assertIsNone(process.status)
            self.assertNotIn("Traceback", process.text)
