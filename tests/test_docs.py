"""What the documentation says of this package is there: programs, and names."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from bench.growth import page as growth
from bench.peers import page as peers
from tests.docs.blocks import PAGES as RUN
from tests.docs.blocks import CannotRun, blocks
from tests.docs.drawings import PICTURES, drawings
from tests.test_public import listed

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def programs() -> Iterator[tuple[str, str]]:
    """The programs in Python, with the page and the number of their first line."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            yield f"{page.relative_to(ROOT)}:{text[: found.start()].count(chr(10)) + 2}", found[1]


class ProgramTests(SynchronousTestCase):
    """Programs in the pages."""

    def test_can_be_run(self) -> None:
        """Each block is one that L{tests.docs} can run, or is marked: CONTRIBUTING.md, "Examples in the pages"."""
        for page in RUN:
            try:
                blocks(page)
            except CannotRun as error:
                self.fail(str(error))

    def test_imports(self) -> None:
        """What they import of this package is what a face exports. That they run, L{tests.docs} sees."""
        faces = listed()
        found = list(programs())
        self.assertGreater(len(found), 10)
        for where, text in found:
            tree = compile(text, where, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rserpool"):
                    for name in node.names:
                        self.assertIn(name.name, faces.get(node.module or "", ()), f"{where}: {node.module}")


class NameTests(SynchronousTestCase):
    """Names in the text."""

    def test_there(self) -> None:
        """Each module, class and function of this package or its tests that a page names can be imported."""
        for page in PAGES:
            for name in re.findall(r"`((?:rserpool|tests|bench)(?:\.\w+)+)[`(]", page.read_text()):
                try:
                    namedAny(name)
                except Exception as error:
                    # What an extra is needed for says so.
                    if not (isinstance(error, ImportError) and "pip install 'rserpool[" in str(error)):
                        self.fail(f"{page.relative_to(ROOT)} names {name}: {error!r}")

    def test_files(self) -> None:
        """Each file or directory of this repository that a page names is there."""
        for page in PAGES:
            for name in re.findall(r"`((?:rserpool|tests|bench|docs|twisted|\.ci)/[\w./-]*)`", page.read_text()):
                self.assertTrue((ROOT / name).exists(), f"{page.relative_to(ROOT)} names {name}")


class DrawingTests(SynchronousTestCase):
    """C{docs/pictures}."""

    def test_drawn(self) -> None:
        """Each is as its text, or setup.cfg, says now."""
        for path, drawn in drawings().items():
            there = path.read_text("utf-8") if path.exists() else ""
            self.assertEqual(drawn, there, f"{path.name} is old: python -m tests.docs.drawings")

    def test_measured(self) -> None:
        """Pages and pictures of what was measured are as their figures say."""
        for made in (peers, growth):
            for path, text in made.write(json.loads(made.FIGURES.read_text("utf-8"))).items():
                self.assertEqual(text, path.read_text("utf-8"), f"{path.name} is old: python -m bench.... --part page")

    def test_shown(self) -> None:
        """Each is shown by a page."""
        pages = "".join(page.read_text("utf-8") for page in RUN)
        self.assertEqual([], [path.name for path in PICTURES.glob("*.svg") if f"pictures/{path.name}" not in pages])
