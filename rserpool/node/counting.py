"""Log lines that would come too often are counted up: a line costs more than what it tells of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger, LogLevel

LINES = 20
"""So many lines a second are logged one by one."""


class CountedLog:
    """Logs the first lines of each second, and how many of each kind followed.

    @param reactor: its clock.
    """

    def __init__(self, reactor: Any, log: Logger) -> None:
        self._reactor = reactor
        self._log = log
        self._lines = 0
        self._more: dict[str, int] = {}
        self._timer: Any = None

    def info(self, kind: str, text: str, **values: Any) -> None:
        """Log a line.

        @param kind: what is counted if there are too many: C{"elements registered"}.
        """
        self._line(LogLevel.info, kind, text, values)

    def debug(self, kind: str, text: str, **values: Any) -> None:
        """Log a line for whoever looks closely, as L{info} does it."""
        self._line(LogLevel.debug, kind, text, values)

    def warn(self, kind: str, text: str, **values: Any) -> None:
        """Log a warning, as L{info} does it."""
        self._line(LogLevel.warn, kind, text, values)

    def _line(self, level: Any, kind: str, text: str, values: dict[str, Any]) -> None:
        self._lines += 1
        if self._timer is None:
            self._timer = self._reactor.callLater(1.0, self._sum_up)
        if self._lines <= LINES:
            self._log.emit(level, text, **values)
        else:
            self._more[kind] = self._more.get(kind, 0) + 1

    def stop(self) -> None:
        """Tell what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._sum_up()

    def _sum_up(self) -> None:
        self._timer = None
        self._lines = 0
        more, self._more = self._more, {}
        if more:
            self._log.emit(
                LogLevel.info, "within a second: {more}", more=", ".join(f"{n} {kind}" for kind, n in more.items())
            )


MOST = 20
"""So many lines of one kind are logged within L{PERIOD}."""
PERIOD = 60.0


class LimitedLog:
    """Logs lines whose number others decide: so many of one kind a minute, and how many there were beyond that.

    A kind is a format. It needs no timers: what was left out is told with the next line of its kind.

    @param now: a monotonic clock, in seconds.
    """

    def __init__(self, log: Logger, now: Callable[[], float]) -> None:
        self._log = log
        self._now = now
        self._seen: dict[str, tuple[float, int]] = {}

    def warn(self, format: str | None = None, **values: Any) -> None:
        """Log a warning."""
        self._line(LogLevel.warn, format or "", values)

    def info(self, format: str | None = None, **values: Any) -> None:
        """Log a line."""
        self._line(LogLevel.info, format or "", values)

    def debug(self, format: str | None = None, **values: Any) -> None:
        """Log a line for whoever looks closely."""
        self._line(LogLevel.debug, format or "", values)

    def _line(self, level: Any, format: str, values: dict[str, Any]) -> None:
        now = self._now()
        since, count = self._seen.get(format, (now, 0))
        if now - since >= PERIOD:
            if count > MOST:
                self._log.emit(level, "{more} more lines like the following one were left out", more=count - MOST)
            since, count = now, 0
        self._seen[format] = since, count + 1
        if count < MOST:
            self._log.emit(level, format, **values)
