"""Runs the examples as their first lines say, and compares what they print with what these say."""

from __future__ import annotations

import ast
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path
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


class ExampleCase(ProcessTests):
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
