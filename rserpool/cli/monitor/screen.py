"""The whole terminal, by the standard library's curses: lines go out, keys come in, and at the end it is as it was."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TextIO

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.cli.monitor.picture import Line, Mark
from rserpool.cli.signals import on_signals
from rserpool.cli.terminal import COLUMNS, LINES, size

try:
    import curses
except ImportError:  # Python may be built without it
    curses = None  # type: ignore[assignment]

ESCAPE_DELAY = 25
"""Milliseconds to wait after Escape for what makes another key of it."""
NAMES = {
    "KEY_UP": "up", "KEY_DOWN": "down", "KEY_LEFT": "left", "KEY_RIGHT": "right", "KEY_PPAGE": "pageup",
    "KEY_NPAGE": "pagedown", "KEY_HOME": "home", "KEY_END": "end", "KEY_ENTER": "enter", "KEY_BACKSPACE": "backspace",
    "KEY_F1": "f1", "KEY_F3": "f3", "KEY_F4": "f4", "KEY_F6": "f6", "KEY_F10": "f10",
}  # fmt: skip
CHARACTERS = {
    "\n": "enter", "\r": "enter", "\x1b": "escape", "\x7f": "backspace", "\b": "backspace", "\x15": "clear",
    "\x02": "pageup", "\x06": "pagedown", "\x0e": "down", "\x10": "up", "\x0c": "redraw",
}  # fmt: skip
"""What keys are called in L{rserpool.cli.monitor.view}, by the names of curses, and by characters."""


def can_draw(out: TextIO) -> bool:
    """Whether it is a terminal on which one can draw anywhere; a dumb one is not."""
    if curses is None or out is not sys.stdout or not out.isatty():
        return False
    try:
        curses.setupterm(os.environ.get("TERM") or "dumb", out.fileno())
        return bool(curses.tigetstr("cup") and curses.tigetstr("clear"))
    except (curses.error, OSError, ValueError):
        return False


@implementer(IReadDescriptor)
class Screen:
    """All of the terminal, until L{leave}.

    @param key: called with the name of each key.
    @param redraw: called after keys, and when there is another size.
    @param ended: called with a C{Failure} when the terminal is there no more, or with None by a signal that ends.
    """

    def __init__(
        self,
        reactor: Any,
        out: TextIO,
        key: Callable[[str], object],
        redraw: Callable[[], object],
        ended: Callable[[Failure | None], object],
    ) -> None:
        self._reactor = reactor
        self._out = out
        self._key = key
        self._redraw = redraw
        self._ended = ended
        self._reads = sys.stdin is not None and sys.stdin.isatty()
        self._restore: list[Callable[[], object]] = []
        self._window: Any = None
        self._marks: dict[Mark, int] = {}

    def enter(self) -> None:
        """Take the terminal."""
        ending = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGQUIT"))
        # Before curses, which would have its own for the first of these.
        self._restore.append(on_signals(self._reactor, (signal.SIGWINCH,), lambda number: self._resize()))
        self._restore.append(on_signals(self._reactor, ending, lambda number: self._ended(None)))
        self._window = curses.initscr()
        self._restore.append(curses.endwin)
        curses.noecho()
        curses.cbreak()
        curses.set_escdelay(ESCAPE_DELAY)
        self._window.keypad(True)
        self._window.nodelay(True)
        for show in (lambda: curses.curs_set(0), self._colours):
            with suppress(curses.error):  # it cannot be hidden, or there are none
                show()
        self._marks |= {Mark.PLAIN: curses.A_NORMAL, Mark.BOLD: curses.A_BOLD, Mark.REVERSE: curses.A_REVERSE}
        if self._reads:
            self._reactor.addReader(self)
            self._restore.append(lambda: self._reactor.removeReader(self))

    def leave(self) -> None:
        """Give it back as it was."""
        # Whatever were asked of it now would take the terminal again.
        self._window = None
        while self._restore:
            with suppress(curses.error):  # there may be no terminal any more
                self._restore.pop()()

    def _colours(self) -> None:
        curses.start_color()
        curses.use_default_colors()
        colours = {Mark.GOOD: curses.COLOR_GREEN, Mark.DOUBTFUL: curses.COLOR_YELLOW, Mark.BAD: curses.COLOR_RED}
        for number, (mark, colour) in enumerate(colours.items(), 1):
            curses.init_pair(number, colour, -1)
            self._marks[mark] = curses.color_pair(number)
        self._marks[Mark.BAD] |= curses.A_BOLD

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return size(self._out) or (COLUMNS, LINES)

    def _resize(self) -> None:
        if self._window is None:
            return
        columns, lines = self.size
        curses.resizeterm(lines, columns)
        self._redraw()

    def draw(self, lines: Iterable[Line]) -> None:
        """Show this, and nothing else."""
        window = self._window
        if window is None:
            return
        window.erase()
        for number, parts in enumerate(lines):
            try:
                window.move(number, 0)
                for text, mark in parts:
                    told = text.encode(window.encoding, "replace").decode(window.encoding)
                    window.addstr(told, self._marks.get(mark, curses.A_NORMAL))
            except curses.error:
                continue  # it is smaller by now, or that was its last corner, behind which there is no place
        window.refresh()

    def fileno(self) -> int:
        """Where keys come from."""
        return sys.stdin.fileno()

    def doRead(self) -> None:
        """Some keys are there, or the terminal is not."""
        name = self._next()
        if name is None:
            self._closed()
        while name is not None:
            if name == "redraw":
                self._window.redrawwin()
            self._key(name)
            name = self._next()
        if self._window is not None:
            self._redraw()

    def _next(self) -> str | None:
        if self._window is None:
            return None
        try:
            key = self._window.get_wch()
        except curses.error:
            return None
        if isinstance(key, str):
            return CHARACTERS.get(key, key)
        return NAMES.get(curses.keyname(key).decode("ascii", "replace"), "")

    def _closed(self) -> None:
        self._reactor.removeReader(self)
        self._ended(Failure(ConnectionDone("the terminal is there no more")))

    def connectionLost(self, reason: Failure) -> None:
        """The terminal is there no more."""
        self._ended(reason)

    def logPrefix(self) -> str:
        """Who logs."""
        return "monitor"
