"""A log's lines: those of one turn of the loop are written together."""

from __future__ import annotations

import atexit
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from rserpool.tap import lines
from rserpool.tap.lines import MOST, LinesObserver


class Loop(Clock):
    """A reactor that runs."""

    running = True


class File:
    """Counts the calls of the system."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._text = ""

    def write(self, text: str) -> None:
        self._text += text

    def flush(self) -> None:
        self.written.append(self._text)
        self._text = ""


class LinesTests(SynchronousTestCase):
    """What is written, and when."""

    own_thread: bool

    def setUp(self) -> None:
        self.clock = Loop()
        self.file = File()
        self.observer = LinesObserver(self.file, self.form, self.clock)
        self.addCleanup(atexit.unregister, self.observer.write)
        self.own_thread = True
        self.patch(lines, "isInIOThread", lambda: self.own_thread)

    def form(self, event: LogEvent) -> str | None:
        return event["line"] and f"{event['line']}\n"

    def tell(self, *some: str, level: Any = LogLevel.info) -> None:
        for line in some:
            self.observer({"line": line, "log_level": level})

    def test_one_turn(self) -> None:
        """They are there when the turn is over."""
        self.tell("a", "b", "")
        self.assertEqual([], self.file.written)
        self.clock.advance(0)
        self.assertEqual(["a\nb\n"], self.file.written)
        self.tell("c")
        self.clock.advance(0)
        self.assertEqual(["a\nb\n", "c\n"], self.file.written)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_nothing(self) -> None:
        """An event without a line."""
        self.tell("")
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_warnings_do_not_wait(self) -> None:
        for level in (LogLevel.warn, LogLevel.error, LogLevel.critical, None):
            self.tell("a")
            self.tell("b", level=level)
            self.assertEqual("a\nb\n", self.file.written.pop())

    def test_many(self) -> None:
        self.tell(*(str(number) for number in range(MOST)))
        self.assertEqual(1, len(self.file.written))

    def test_no_turns(self) -> None:
        """Before the loop runs, after it, and in another thread, where nothing can wait for it."""
        self.clock.running = False
        self.tell("a")
        self.clock.running = True
        self.own_thread = False
        self.tell("b")
        self.assertEqual((["a\n", "b\n"], []), (self.file.written, self.clock.getDelayedCalls()))
