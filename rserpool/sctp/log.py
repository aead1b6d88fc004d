"""Log lines whose number others decide: a stranger must not fill the log (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

MOST = 20
"""So many lines of one kind are logged within L{PERIOD}."""
PERIOD = 60.0


class LimitedLog:
    """Logs so many lines of one kind a minute, and how many there were beyond that.

    A kind is a format. It needs no timers: what was left out is told with the next line of its kind.

    @param now: a monotonic clock, in seconds.
    """

    def __init__(self, log: Logger, now: Callable[[], float]) -> None:
        self._log = log
        self._now = now
        self._seen: dict[str, tuple[float, int]] = {}

    def error(self, format: str | None = None, **values: Any) -> None:
        """Log an error."""
        self._line(LogLevel.error, format or "", values)

    def warn(self, format: str | None = None, **values: Any) -> None:
        """Log a warning."""
        self._line(LogLevel.warn, format or "", values)

    def info(self, format: str | None = None, **values: Any) -> None:
        """Log a line."""
        self._line(LogLevel.info, format or "", values)

    def debug(self, format: str | None = None, **values: Any) -> None:
        """Log a line for whoever looks closely."""
        self._line(LogLevel.debug, format or "", values)

    def failure(self, format: str, failure: Failure | None = None, **values: Any) -> None:
        """Log an exception, by default the one that is being handled."""
        if self._admits(LogLevel.critical, format):
            self._log.failure(format, failure or Failure(), **values)

    def _line(self, level: Any, format: str, values: dict[str, Any]) -> None:
        if self._admits(level, format):
            self._log.emit(level, format, **values)

    def _admits(self, level: Any, format: str) -> bool:
        now = self._now()
        since, count = self._seen.get(format, (now, 0))
        if now - since >= PERIOD:
            if count > MOST:
                self._log.emit(
                    level, "{more} more lines like the following one were left out", event="more", more=count - MOST
                )
            since, count = now, 0
        self._seen[format] = since, count + 1
        return count < MOST
