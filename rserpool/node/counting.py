"""Log lines that would come too often are counted up: a line costs more than what it tells of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger, LogLevel

from rserpool.sctp.log import MOST as MOST
from rserpool.sctp.log import PERIOD as PERIOD
from rserpool.sctp.log import LimitedLog as LimitedLog

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

    def info(self, kind: str, text: str, lazily: Callable[[], dict[str, Any]] | None = None, **values: Any) -> None:
        """Log a line.

        @param kind: what is counted if there are too many: C{"elements registered"}.
        @param lazily: more values, which nobody needs for a line that is only counted.
        """
        self._line(LogLevel.info, kind, text, values, lazily)

    def only_counts(self, kind: str) -> bool:
        """Whether there are so many lines by now that this one is only counted, which it is then."""
        if self._lines < LINES:
            return False
        self._lines += 1
        self._more[kind] = self._more.get(kind, 0) + 1
        return True

    def debug(self, kind: str, text: str, **values: Any) -> None:
        """Log a line for whoever looks closely, as L{info} does it."""
        self._line(LogLevel.debug, kind, text, values)

    def warn(self, kind: str, text: str, **values: Any) -> None:
        """Log a warning, as L{info} does it."""
        self._line(LogLevel.warn, kind, text, values)

    def _line(
        self,
        level: Any,
        kind: str,
        text: str,
        values: dict[str, Any],
        lazily: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self._lines += 1
        if self._timer is None:
            self._timer = self._reactor.callLater(1.0, self._sum_up)
        if self._lines <= LINES:
            self._log.emit(level, text, **values, **(lazily() if lazily is not None else {}))
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
                LogLevel.info,
                "within a second: {more}",
                event="counted",
                more=", ".join(f"{n} {kind}" for kind, n in more.items()),
            )
