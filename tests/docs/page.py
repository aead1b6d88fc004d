"""Runs the blocks of a page, in order, in a directory and a network of its own: C{python -m tests.docs.page PAGE}."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs.blocks import ROOT, Block, blocks, commands, expression
from tests.docs.network import enter, set_up
from tests.docs.terminal import Terminal

READY = [
    (r"\brserpool-ns\b.* --peer", r"ready: |cannot|Error"),
    (r"\brserpool-ns\b", r"serves ASAP at|cannot|Error"),
    (r"\brserpool-(pe|worker)\b|\btwistd\b.*'rserpool:", r"registered as 0x|cannot|Error"),
    (r"\brserpool-proxy\b", r"listens at"),
]
"""Commands that go on, and what they say when they serve."""


class Page:
    """A page under way."""

    def __init__(self, page: Path, directory: Path) -> None:
        self.page = page
        self.directory = directory
        self._began = time.monotonic()
        self._count = 0
        self._running: list[Terminal] = []
        self._named: dict[str, Terminal] = {}
        for name in ("docs", "examples", "rserpool", "tests", "README.md"):
            (directory / name).symlink_to(ROOT / name)
        (directory / ".venv").symlink_to(sys.prefix)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RSERPOOL_")},
            "PATH": f"{directory / '.venv' / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "120",
            "HOME": str(directory),
            "RSERPOOL_CONFIG": "none",
        }

    def run(self) -> None:
        """Run it all.

        @raise AssertionError: A block is not as it is printed.
        """
        try:
            for block in blocks(self.page):
                try:
                    self._block(block)
                except AssertionError as error:
                    raise AssertionError(f"{block.where}: {error}") from None
        finally:
            for terminal in self._running:
                terminal.kill()

    def _block(self, block: Block) -> None:
        if "stop" in block.marks:
            self._stop()
        for command in commands(block.marks.get("before", "")):
            self._shell(command, Block("sh", command, block.where))
        if "in" in block.marks:
            self._named[block.marks["in"]].shows(expression(block.text))
        elif block.kind == "sh" and "file" not in block.marks:
            *others, last = commands(block.text)
            for command in others:
                self._shell(command, Block(block.kind, command, block.where, block.marks))
            self._shell(last, block)
        else:
            self._count += 1
            name = block.marks.get("file", f"example{self._count}.py")
            (self.directory / name).write_text(block.text)
            if "file" not in block.marks:
                self._start(["python", name], block)

    def _stop(self) -> None:
        for terminal in reversed(self._running):
            terminal.leave()
        self._running.clear()

    def _shell(self, command: str, block: Block) -> None:
        if match := re.fullmatch(r"export (\w+)=(\S+)", command):
            self._environment[match[1]] = match[2].replace("~", str(self.directory))
            return
        ready = [says for what, says in READY if re.search(what, command)]
        if ready and not block.marks.keys() & {"says", "until"} and block.output is None:
            block = Block(block.kind, block.text, block.where, {**block.marks, "says": ready[0]})
        self._start(["sh", "-c", re.sub(r"\s*&\s*$", "", command)], block)

    def _start(self, command: list[str], block: Block) -> None:
        print(f"{time.monotonic() - self._began:5.1f} s  {block.where}: {command[-1]}", flush=True)
        terminal = Terminal(command, self.directory, self._environment)
        self._running.append(terminal)
        marks = block.marks
        if "terminal" in marks:
            self._named[marks["terminal"]] = terminal
        if block.output is not None:
            terminal.shows(expression(block.output))
        if wanted := marks.get("says") or marks.get("until"):
            terminal.says(wanted)
        if "until" in marks:
            terminal.leave()
        elif not marks.keys() & {"says", "terminal"}:
            status = marks.get("status", "0")
            terminal.ends(None if status == "any" else int(status))


def main() -> None:
    """Run the page that is named, in a network that is this process's alone if the machine allows that."""
    if not set_up() and (before := enter()):
        os.execvp(before[0], [*before, sys.executable, "-m", "tests.docs.page", *sys.argv[1:]])
    with TemporaryDirectory() as directory:
        Page(Path(sys.argv[1]).resolve(), Path(directory)).run()


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(str(error))
