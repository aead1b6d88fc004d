"""Keys of cookies in a file: changed while elements serve, without a break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError
from rserpool.session import KeyFile, SignedCookies
from rserpool.session.keys import LOOK

OLD, NEW = f"old {'0f' * 16}\n", f"new {'1f' * 16}\n"
POOL = b"pool"


class KeyFileTests(SynchronousTestCase):
    """One element's file."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.path.write_text(OLD)
        self.file = self.started()
        self.logged: list[str] = []

        def observe(event: Any) -> None:
            if event["log_level"] == LogLevel.error:
                self.logged.append(str(event["error"]))

        globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, observe)  # type: ignore[arg-type]

    def started(self) -> KeyFile:
        file = KeyFile(self.clock, self.path)
        file.startService()
        self.addCleanup(file.stopService)
        return file

    def test_a_change_without_a_break(self) -> None:
        """New before old: the old key signs, both verify. New behind old: the new one signs."""
        cookies = SignedCookies(self.file.ring)
        with_old = cookies.seal(b"state", POOL, 0.0)
        for text in (NEW + OLD, OLD + NEW):
            self.path.write_text(text)
            self.clock.advance(LOOK)
            self.assertEqual(cookies.open(with_old, (POOL,), 0.0), b"state")
        with_new = cookies.seal(b"state", POOL, 0.0)
        self.assertNotEqual(with_old, with_new)
        self.path.write_text(NEW)
        self.clock.advance(LOOK)
        self.assertEqual(cookies.open(with_new, (POOL,), 0.0), b"state")
        with self.assertRaisesRegex(Exception, "a key that this element does not have"):
            cookies.open(with_old, (POOL,), 0.0)
        self.assertEqual(self.logged, [])

    def test_a_file_that_everybody_reads(self) -> None:
        """It is told at the start, once; a file of one's own is nothing to tell of."""
        for mode, times in ((0o640, 0), (0o644, 1)):
            told: list[str] = []

            def observe(event: Any, told: list[str] = told) -> None:
                if event["log_level"] == LogLevel.warn:
                    told.append(formatEvent(event))

            self.path.chmod(mode)
            globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
            try:
                self.started()
                self.clock.advance(LOOK)
            finally:
                globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]
            self.assertEqual(times, len(told))
            self.assertTrue(all(f"chmod o-rwx {self.path}" in text for text in told))

    def test_a_wrong_file_changes_nothing(self) -> None:
        """The log says why, and shows no key."""
        signs = self.file.ring.current
        for text, sentence in (("new 1f1fzz\n", "line 1"), ("", "need a key"), ("new 1f\n", "1 bytes")):
            self.path.write_text(text)
            self.clock.advance(LOOK)
            self.assertEqual(self.file.ring.current, signs)
            self.assertIn(sentence, self.logged[-1])
            self.assertNotIn("1f1f", self.logged[-1])
        self.path.unlink()
        self.clock.advance(LOOK)
        self.assertRegex(self.logged[-1], "cannot be read: No such file")

    def test_a_wrong_file_at_the_start(self) -> None:
        self.path.write_bytes(b"\xff\xfe")
        self.assertRaisesRegex(ConfigurationError, "it is not text", KeyFile, self.clock, self.path)
        self.path.unlink()
        self.assertRaisesRegex(ConfigurationError, "cannot be read: No such file", KeyFile, self.clock, self.path)
