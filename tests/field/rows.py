"""The table of docs/field.md: one row for each test of this suite. C{python -m tests.field.rows --update} writes it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

import tests.field
from tests.processes.harness import ROOT

PAGE = ROOT / "docs" / "field.md"
BEGIN, END = "<!-- rows: begin -->\n", "<!-- rows: end -->\n"
Test = TypeVar("Test", bound=Callable)
AGAIN = "fails over"
NONE = "finishes what it has"
CUT = "cuts what it has"


@dataclass(frozen=True)
class Row:
    """What is served and asked how, and what its users see of a server's end."""

    what: str
    served: str
    asked: str
    killed: str
    drained: str


ROWS: dict[str, Row] = {}


def row(what: str, served: str, asked: str, killed: str = AGAIN, drained: str = NONE) -> Callable[[Test], Test]:
    """Says what a test proves."""

    def add(test: Test) -> Test:
        ROWS[test.__qualname__] = Row(what, served, asked, killed, drained)
        return test

    return add


def table() -> str:
    """The rows, as they stand in the page."""
    for module in iter_modules(tests.field.__path__, "tests.field."):
        if module.name.rpartition(".")[2].startswith("test_"):
            import_module(module.name)
    lines = ["| what | served by | asked by | `kill -9` | SIGTERM |", "| --- | --- | --- | --- | --- |"]
    for one in sorted(ROWS.values(), key=lambda one: one.what.lower()):
        lines.append(f"| {one.what} | {one.served} | {one.asked} | {one.killed} | {one.drained} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table, or say that it is old."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    new = before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]
    if "--update" in sys.argv:
        PAGE.write_text(new, "utf-8")
    elif new != text:
        sys.exit("docs/field.md is old: python -m tests.field.rows --update")


if __name__ == "__main__":
    # The module that the tests know, not this one.
    from tests.field import rows

    rows.main()
