"""Pool handles and their texts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError
from rserpool.core.handles import LONGEST, handle_of, handle_text
from rserpool.core.wire import asap
from tests.core.stage import element


class HandleTests(SynchronousTestCase):
    """Text stands for its UTF-8 bytes."""

    def test_handles(self) -> None:
        """Also the text that a command line makes of bytes that are not UTF-8."""
        for pool, handle in (
            ("My Pool \u00fc", b"My Pool \xc3\xbc"),
            (b"\xff\x00", b"\xff\x00"),
            (b"My \xff pool".decode("utf-8", "surrogateescape"), b"My \xff pool"),
        ):
            self.assertEqual(handle, handle_of(pool))

    def test_texts(self) -> None:
        """Nothing in them moves the cursor of a terminal."""
        for handle, text in ((b"My Pool", "My Pool"), (b"\xff\x1b[31m\n", "\\xff\\x1b[31m\\n")):
            self.assertEqual(text, handle_text(handle))


class LengthTests(SynchronousTestCase):
    """Whoever names a pool hears at once that its name is too long."""

    def test_longest(self) -> None:
        """A handle that is taken fits requests."""
        handle = handle_of("x" * LONGEST)
        for request in (asap.HandleResolution(handle, True, 1), asap.Registration(handle, element(1))):
            self.assertEqual(request, asap.decode(asap.encode(request)).message)

    def test_too_long(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "65001 bytes fits no message"):
            handle_of(b"x" * (LONGEST + 1))
