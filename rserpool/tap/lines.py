"""A log's lines, written: those of one turn of the loop together, since a call of the system costs more than a line."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, LogLevel
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

MOST: Final = 64
"""So many lines wait, at most."""
_MAY_WAIT: Final = frozenset({LogLevel.debug, LogLevel.info})


@implementer(ILogObserver)
class LinesObserver:
    """Writes events to a file. A warning, or worse, is written at once, with what came before it.

    @param file: is written to, and flushed.
    @param form: makes the line of an event, if it has one.
    @param reactor: whose turns they are; before it runs, and when it has stopped, each line is written at once.
    """

    def __init__(self, file: Any, form: Callable[[LogEvent], str | None], reactor: Any) -> None:
        self._file = file
        self._form = form
        self._reactor = reactor
        self._lines: list[str] = []
        # Whoever ends without a word has said what it said.
        atexit.register(self.write)

    def __call__(self, event: LogEvent) -> None:
        line = self._form(event)
        if not line:
            return
        lines = self._lines
        lines.append(line)
        if len(lines) >= MOST or event.get("log_level") not in _MAY_WAIT or not self._turns():
            self.write()
        elif len(lines) == 1:
            self._reactor.callLater(0, self.write)

    def write(self) -> None:
        """Write what waits."""
        lines, self._lines = self._lines, []
        if lines:
            self._file.write("".join(lines))
            self._file.flush()

    def _turns(self) -> bool:
        return bool(self._reactor.running) and isInIOThread()
