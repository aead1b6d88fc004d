"""The examples, as their first lines say that they are run, and what these say that they print."""

from __future__ import annotations

from pathlib import Path
from signal import SIGINT

from tests.processes.examples import EXAMPLES, ExampleCase, promised
from tests.processes.harness import ROOT
from tests.processes.left import nothing_is_left


class ExampleTests(ExampleCase):
    """Real processes, on this host alone."""

    async def test_as_printed(self) -> None:
        await self.plays("line_server.py", "counter_session.py", "http_treq.py")

    async def test_without_twisted(self) -> None:
        await self.plays("requests_session.py", "asyncio_httpx.py")

    async def test_side_by_side(self) -> None:
        await self.plays("one_process.py", "test_line_server.py", "one_process.py")

    async def test_interrupted(self) -> None:
        """By Ctrl-C, and by C{kill -9}: nothing is left, and nothing more is said."""
        for signal in ("INT", "KILL"):
            process = self.example("line_server.py")
            await process.says("hello 1")
            process.signal(signal)
            await process.ended
            self.no_traceback(process)
            self.assertLess(len(process.lines), 5)
            await nothing_is_left(self)

    async def test_application(self) -> None:
        """The application file joins its pool, and leaves it."""
        reg = await self.registrar()
        process = self.twistd("-y", str(EXAMPLES / "web.tac"), RSERPOOL_REGISTRARS=reg.text)
        await process.says("documents: registered as 0x")
        port = int((await process.says(r"serves at 127.0.0.1 port (\d+)"))[1])
        client = await self.client("127.0.0.1", port)
        client.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn(b"A page from a pool.", await client.lost)
        process.signal("INT")
        self.assertIn(await process.ended, (0, -SIGINT))
        await reg.process.says("documents: element 0x.* removed: ")
        self.no_traceback(process, reg.process)

    def test_all(self) -> None:
        """Each file says how it is run, and each of them stands in the table and in a test."""
        table = (EXAMPLES / "README.md").read_text("utf-8")
        tested = Path(__file__).read_text("utf-8") + "".join(
            path.read_text("utf-8") for path in (ROOT / "tests" / "field").glob("*.py")
        )
        for path in sorted(EXAMPLES.iterdir()):
            if path.name.startswith((".", "_")) or path.name == "README.md":
                continue
            self.assertIn(f"[{path.name}](", table)
            if path.suffix == ".py" and path.name != "stage.py":
                self.assertTrue(promised(path), path.name)
                self.assertIn(f'"{path.name}"', tested)
