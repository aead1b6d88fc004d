"""The table: what is required, which tests prove it, and why the rest is not proved."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What a reason may be; the words say the rest. A row that is kept in part has tests as well, the others have none.
IN_PART = "in part"
CATEGORIES = (IN_PART, "not applicable", "not done")
LEVELS = ("MUST", "MUST NOT", "SHALL", "SHOULD", "SHOULD NOT", "RECOMMENDED")
PROCEDURE = "procedure"
"""The level of a sentence without a keyword."""


@dataclass(slots=True)
class Requirement:
    """One capitalised keyword of one sentence, or a sentence without one that says what is to be done."""

    identifier: str
    level: str
    sentence: str
    tests: list[str] = field(default_factory=list)
    category: str = ""
    words: str = ""

    @property
    def rfc(self) -> str:
        return self.identifier.split("-")[0]

    @property
    def section(self) -> str:
        return self.identifier.split("-")[1]

    @property
    def state(self) -> str:
        """A category, proved, or nothing."""
        return self.category or ("proved" if self.tests else "")


@dataclass(frozen=True, slots=True)
class Mark:
    """One sentence in one decorator."""

    test: str
    rfc: str
    section: str
    sentence: str


class Table:
    """All rows, and what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.requirements: dict[str, Requirement] = {}
        for row in requirements():
            if row.identifier in self.requirements:
                self.problems.append(f"{row.identifier} stands in requirements.txt twice")
            self.requirements[row.identifier] = row
        for mark in marks(HERE.parent):
            self._prove(mark)
        self._reasons()
        self.problems += [
            f"{row.identifier} has neither a test nor a reason: {row.sentence}"
            for row in self.requirements.values()
            if not row.state
        ]

    def _prove(self, mark: Mark) -> None:
        rows = [
            row
            for row in self.requirements.values()
            if (row.rfc, row.section) == (mark.rfc, mark.section) and mark.sentence in row.sentence
        ]
        if len(rows) != 1:
            found = ", ".join(row.identifier for row in rows) or "no row"
            self.problems.append(f"{mark.test}: {mark.sentence!r} of {mark.rfc} {mark.section} stands in {found}")
        for row in rows[:1]:
            row.tests.append(mark.test)

    def _reasons(self) -> None:
        for reason in tomllib.loads((HERE / "reasons.toml").read_text(encoding="utf-8"))["reason"]:
            category, words = reason["category"], " ".join(reason["words"].split())
            if category not in CATEGORIES or not words:
                self.problems.append(f"not a reason: {category!r}, {words!r}")
            for identifier in reason["rows"]:
                row = self.requirements.get(identifier)
                if row is None:
                    self.problems.append(f"reasons.toml names {identifier}, which does not exist")
                elif row.category:
                    self.problems.append(f"{identifier} has two reasons: {row.category}, {category}")
                elif category == IN_PART and not row.tests:
                    self.problems.append(f"{identifier} is kept in part, and no test shows which")
                elif category != IN_PART and row.tests:
                    self.problems.append(f"{identifier} has a reason to have no test, and {row.tests}")
                else:
                    row.category, row.words = category, words


def requirements() -> Iterator[Requirement]:
    """The rows of requirements.txt."""
    for line in (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            identifier, level, sentence = line.split(" | ", 2)
            keyword = level in LEVELS and level in sentence and re.fullmatch(r"\d{4}-[\d.]+-\d\d", identifier)
            if not keyword and not (level == PROCEDURE and re.fullmatch(r"\d{4}-[\d.]+-p\d", identifier)):
                raise ValueError(line)
            yield Requirement(identifier, level, sentence)


def marks(directory: Path) -> Iterator[Mark]:
    """Every C{@rfc(...)} in the tests below a directory, in the order of files and lines."""
    for path in sorted(directory.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "@rfc(" in source:
            module = ".".join(path.relative_to(directory.parent).with_suffix("").parts)
            yield from _of_body(ast.parse(source).body, module)


def _of_body(body: list[ast.stmt], name: str) -> Iterator[Mark]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "rfc":
                    number, section, *sentences = (ast.literal_eval(argument) for argument in call.args)
                    for sentence in sentences:
                        yield Mark(f"{name}.{node.name}", number, section, sentence)
            if isinstance(node, ast.ClassDef):
                yield from _of_body(node.body, f"{name}.{node.name}")
