"""The page about mutants is about the code as it is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.mutants.known import ROOT, reasons


class PageTests(SynchronousTestCase):
    def test_the_lines_are_there(self) -> None:
        """One that is changed, or gone, needs no reason any more: take its row out of docs/mutants.md."""
        for path, before, _ in sorted(reasons()):
            lines = [line.strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]
            self.assertIn(before, lines, f"docs/mutants.md, {path}")
