"""The examples, as their first lines say that they are run, and what these say that they print."""

from __future__ import annotations

import ast
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path
from signal import SIGINT
from textwrap import dedent

from twisted.internet.defer import gatherResults

from tests.processes.harness import ROOT, Process, ProcessTests
from tests.processes.left import nothing_is_left

EXAMPLES = ROOT / "examples"


def promised(path: Path) -> str | None:
    """What an example says that it prints; None if it is not run by C{python}."""
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    _, command, rest = said.partition(f"$ python examples/{path.name}\n")
    lines = rest.split("\n\n")[0]
    return dedent(lines).replace("<BLANKLINE>", "") + "\n" if command else None


class ExampleTests(ProcessTests):
    """Real processes, on this host alone."""

    def example(self, name: str) -> Process:
        """Start one, as it says."""
        return self.spawn(f"examples/{name}", path=str(ROOT), RSERPOOL_REGISTRARS="")

    def check(self, name: str, process: Process) -> None:
        """It has printed what it says, and nothing else."""
        expected = promised(EXAMPLES / name) or ""
        same = OutputChecker().check_output(expected, process.text + "\n", ELLIPSIS)
        self.assertTrue(same, f"{name} said:\n{process.text}\nand not:\n{expected}")

    async def plays(self, *names: str) -> None:
        """They run at the same time, and do not disturb each other."""
        running = [(name, self.example(name)) for name in names]
        statuses = await gatherResults([process.ended for _, process in running])
        for name, process in running:
            self.check(name, process)
        self.assertEqual([0] * len(names), statuses)
        await nothing_is_left(self)

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
