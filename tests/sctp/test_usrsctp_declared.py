"""What libusrsctp is taken to be."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests import declared


class DeclaredTests(SynchronousTestCase):
    def test_as_declared(self) -> None:
        """What is loaded at the start is what C{library.py} declares, as cffi reads it."""
        self.assertEqual(declared.text(), declared.FILE.read_text())
