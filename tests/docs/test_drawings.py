"""The drawings of the pages are those that their texts make."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.blocks import PAGES
from tests.docs.drawings import PICTURES, drawings


class DrawingTests(SynchronousTestCase):
    """C{docs/pictures}."""

    def test_drawn(self) -> None:
        """Each is as its text, or setup.cfg, says now."""
        for path, drawn in drawings().items():
            there = path.read_text("utf-8") if path.exists() else ""
            self.assertEqual(drawn, there, f"{path.name} is old: python -m tests.docs.drawings")

    def test_shown(self) -> None:
        """Each is shown by a page."""
        pages = "".join(page.read_text("utf-8") for page in PAGES)
        self.assertEqual([], [path.name for path in PICTURES.glob("*.svg") if f"pictures/{path.name}" not in pages])
