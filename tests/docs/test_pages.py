"""Every example in every page runs as it is printed, in order; and how that is seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from shutil import which

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.docs.blocks import PAGES, ROOT, CannotRun, blocks, commands, expression
from tests.docs.network import ADDRESSES, enter, free
from tests.processes.harness import ProcessTests


class PageTests(ProcessTests):
    """A test for each page."""

    timeout = 600


def _test(page: Path) -> Callable[[PageTests], object]:
    async def test(self: PageTests) -> None:
        if not blocks(page):
            return
        text = page.read_text("utf-8")
        if enter() is None and (not free() or any(address in text for address in ADDRESSES)):
            raise SkipTest(
                "this machine allows no network namespaces, and its own network has other ports or addresses"
            )
        if "curl " in text and not which("curl"):
            raise SkipTest("curl is missing")
        process = self.spawn("-m", "tests.docs.page", str(page))
        self.assertEqual(0, await process.ended, process.text)

    test.__doc__ = f"Those of {page.name}."
    return test


for _page in PAGES:
    setattr(PageTests, f"test_{re.sub(r'[^a-z]+', '_', str(_page.relative_to(ROOT)).lower())}", _test(_page))


class BlockTests(SynchronousTestCase):
    """What is found in a page."""

    def page(self, text: str) -> Path:
        page = Path(self.mktemp()).absolute()
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
        return page

    def test_no_way(self) -> None:
        """A block that can neither be run nor is marked is an error: indented ones, other languages, stray output."""
        for text in ("words\n\n    twistd web\n", "```toml\na = 1\n```\n", "```text\nout\n```\n"):
            with self.assertRaises(CannotRun):
                blocks(self.page(text))

    def test_unknown_mark(self) -> None:
        """A mark that is mistyped is one, too."""
        with self.assertRaises(CannotRun):
            blocks(self.page("<!-- nor run: why -->\n```toml\n```\n"))

    def test_marked(self) -> None:
        """What is marked is not run, or a file; a command has the output behind it."""
        found = blocks(
            self.page(
                "<!-- not run: why -->\n```toml\n```\n\n<!-- file: a.toml -->\n```toml\na = 1\n```\n\n"
                "```sh\nmake\n```\n\nIt says:\n\n```text\ndone\n```\n"
            )
        )
        self.assertEqual([("toml", None), ("sh", "done\n")], [(block.kind, block.output) for block in found])

    def test_elsewhere(self) -> None:
        """What another test runs, it does: it is there, and names the page."""
        for page in PAGES:
            for module in re.findall(r"<!-- page run by: ([\w.]+)", page.read_text("utf-8")):
                self.assertIn(page.name, (ROOT / (module.replace(".", "/") + ".py")).read_text("utf-8"))

    def test_commands(self) -> None:
        """A line each, unless it ends in a backslash; comments are none."""
        self.assertEqual(["a b", "c # d"], commands("a \\\n    b\n# no\n\nc # d\n"))

    def test_varies(self) -> None:
        """Identifiers, ports and times may be others; names and figures may not."""
        shown = expression("www 0x01234567 at 127.0.0.1:40001/9899 after 1.5 s\n")
        self.assertTrue(shown.match("www 0xfedcba98 at 127.0.0.1:5/2 after 0.25 s\n"))
        self.assertFalse(shown.match("ftp 0xfedcba98 at 127.0.0.1:5/2 after 0.25 s\n"))

    def test_processes(self) -> None:
        """Who is the same on the page is the same, and others are others."""
        shown = expression("process 1\nprocess 2\n...\nprocess 1\n")
        self.assertTrue(shown.match("process 77\nprocess 8\nprocess 8\nprocess 77\n"))
        self.assertFalse(shown.match("process 77\nprocess 77\nprocess 77\nprocess 77\n"))
