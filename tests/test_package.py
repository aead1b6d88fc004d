"""The checkout as packages are made of it; `make dist` looks into the packages."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent


class Checkout(SynchronousTestCase):
    """What is here is also found."""

    def test_every_test_is_found(self) -> None:
        """A directory without C{__init__.py} would be passed over silently by trial."""
        directories = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
        self.assertEqual([path for path in directories if not (path / "__init__.py").exists()], [])

    def test_nothing_hides_twisted(self) -> None:
        """An C{__init__.py} beside the plugins would make them a package of their own."""
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])
