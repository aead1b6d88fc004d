"""Pool handles and their texts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.handles import handle_of, handle_text


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
