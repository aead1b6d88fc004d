"""How the tree of files is kept: short modules and functions; no file that asks for the package that it is part of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.runner import TestLoader
from twisted.trial.unittest import SynchronousTestCase

from tests.lab import IN_LAB

ROOT = Path(__file__).resolve().parent.parent
MODULE, FUNCTION = 350, 60
"""Lines, at most."""
TABLES = {"tests/hostile/inputs.py"}
"""Tests that are tables: a line for each case."""


def trees(*folders: str) -> Iterator[tuple[str, int, ast.Module]]:
    """Each Python file: its name, its number of lines, and what is in it."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield str(path.relative_to(ROOT)), text.count("\n"), ast.parse(text)


class TreeTests(SynchronousTestCase):
    """What every file keeps to."""

    def test_short(self) -> None:
        """A module that is longer hides an idea that wants out, and so does a function."""
        long = []
        for name, lines, tree in trees("rserpool", "tests", "examples"):
            if name not in TABLES:
                long += [f"{name}: {lines} lines"] * (lines > MODULE)
                for node in ast.walk(tree):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        lines = (node.end_lineno or 0) - node.lineno + 1
                        long += [f"{name}: {node.name} has {lines} lines"] * (lines > FUNCTION)
        self.assertEqual([], long)

    def test_tables_are_there(self) -> None:
        """No exception outlives its file."""
        self.assertEqual([], [name for name in TABLES if not (ROOT / name).exists()])

    def test_no_face_from_within(self) -> None:
        """A package is made of its files: none of them asks for what it exports. C{make layers} finds other circles."""
        circles = []
        for name, _, tree in trees("rserpool"):
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    package = node.module.replace(".", "/")
                    if name.startswith(f"{package}/") and name != f"{package}/__init__.py":
                        folder = ROOT / package
                        circles += [
                            f"{name} imports {each.name} from {node.module}"
                            for each in node.names
                            if not (folder / each.name).is_dir() and not (folder / f"{each.name}.py").exists()
                        ]
        self.assertEqual([], circles)

    def test_lab_elsewhere(self) -> None:
        """What needs the lab says so, wherever it is run."""
        suite = TestLoader().loadByName("tests.lab", recurse=True)
        cases: list[Any] = list(_each(suite))
        failing = sorted({type(case).__name__ for case in cases if not case.getSkip()[0]})
        self.assertGreater(len(cases), 100)
        self.assertEqual([], [] if IN_LAB else failing)


def _each(suite: Any) -> Iterator[Any]:
    for test in suite:
        if hasattr(test, "getSkip"):
            yield test
        else:
            yield from _each(test)
