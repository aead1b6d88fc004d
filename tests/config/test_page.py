"""docs/configuration.md."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests import configuration


class PageTests(SynchronousTestCase):
    """It shows every key."""

    def test_page(self) -> None:
        """What is generated is what the options say: C{python -m tests.configuration} writes it anew."""
        self.assertEqual(configuration.page(), configuration.PAGE.read_text(encoding="utf-8"))

    def test_defaults(self) -> None:
        """Defaults are those that people know."""
        text = configuration.generated()
        for row in ("| `identifier` | text or number | random |", "| `keep-alive` | `true` or `false` | true |"):
            self.assertIn(row, text)
