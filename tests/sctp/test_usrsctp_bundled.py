"""Where libusrsctp is looked for: a binary wheel has one."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import SctpUnavailable
from rserpool.sctp.usrsctp import library


class BundledTests(SynchronousTestCase):
    """libusrsctp beside this package."""

    def setUp(self) -> None:
        library.load.cache_clear()
        self.addCleanup(library.load.cache_clear)

    def test_last(self) -> None:
        """It is taken where the system has none, or one that is too old; the system's comes first."""
        [*systems, own] = library._usual()
        self.assertEqual(("libusrsctp.so.2", library.BUNDLED), (systems[0], own))
        self.assertEqual(str(Path(library.__file__).parent), str(Path(own).parent))
        loaded = library.load("libnosuchthing.so.2", "libc.so.6", "libusrsctp.so.2")
        self.assertTrue(loaded.lib.usrsctp_init_nothreads)

    def test_none(self) -> None:
        """Of those that are too old the last one is named."""
        error = self.assertRaises(SctpUnavailable, library.load, "libc.so.6", "libnosuchthing.so.2")
        self.assertTrue(str(error).startswith("libc.so.6 is too old, it has no usrsctp_"), error)
