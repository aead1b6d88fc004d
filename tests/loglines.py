"""What is logged while a test runs, as people read it."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer


@implementer(ILogObserver)
class LogLines:
    """Collects lines; a traceback is one.

    @ivar lines: what was logged.
    """

    def __init__(self, case: Any) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)

    def __call__(self, event: LogEvent) -> None:
        failure = event.get("log_failure")
        self.lines.append(formatEvent(event) + ("" if failure is None else failure.getTraceback()))

    @property
    def size(self) -> int:
        """Bytes of all lines."""
        return sum(len(line.encode()) for line in self.lines)
