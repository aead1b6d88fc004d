"""C{--log} and C{--log-level}: what a role's log looks like, and how much of it is written; where, C{twistd} says.

As JSON each line is an object: C{time} (RFC 3339, UTC), C{level}, C{event} (a name that stays the same, or C{message}
where a line has none), C{text} (the sentence that the text log has), C{logger}, and what the event is about, by name.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.logfile import LogFile

from rserpool.core.reading import choice, one_of
from rserpool.tap.lines import LinesObserver

LEVELS: Final = ("debug", "info", "warn", "error", "critical")
LEVEL: Final = "info"
FORMS: Final = ("text", "json")
log_level: Callable[[str], Any] = choice(
    {name: LogLevel.lookupByName(name) for name in LEVELS},
    lambda text: f"there is no level {text!r}; choose one of {', '.join(LEVELS)}",
)
"""A parser of levels."""
log_form = one_of("form of logs", FORMS)
"""A parser of forms."""

_OURS: Final = frozenset(
    {"format", "time", "message", "isError", "system", "namespace", "level", "text", "logger", "event"}
)
_IDENTIFIERS: Final = frozenset({"identifier", "peer", "registrar", "target", "mentor"})
"""Values that people know as 0x12345678, where they are numbers."""
_HIDDEN: Final = frozenset({"details", "line"})
"""Values that are for the sentence alone."""


class Levels:
    """Which lines are written; another level counts at once."""

    def __init__(self, level: Any) -> None:
        self.predicate = LogLevelFilterPredicate(level)

    @property
    def level(self) -> Any:
        """Lines of this level and above are written."""
        return self.predicate.logLevelForNamespace("")

    def change(self, level: Any) -> None:
        """From now on lines of this level and above are written."""
        self.predicate.setLogLevelForNamespace("", level)


_chosen: list[tuple[Any, str, Levels]] = []


def log_so(twistd: Any, form: str, levels: Levels) -> None:
    """Have C{twistd} log so.

    @param twistd: its options: they name L{chosen} as C{--logger} would, since they take nothing but a name.
    """
    _chosen[:] = [(twistd, form, levels)]
    twistd["logger"] = f"{__name__}.{chosen.__name__}"


def chosen() -> ILogObserver:
    """The observer that was asked for; it writes where C{twistd}'s own would."""
    ((twistd, form, levels),) = _chosen
    return FilteringLogObserver(_writing(twistd, form), [levels.predicate])


def _writing(twistd: Any, form: str) -> ILogObserver:
    if twistd.get("syslog"):
        from twisted.python.syslog import SyslogObserver

        return LegacyLogObserverWrapper(cast(Any, SyslogObserver(twistd.get("prefix") or "twisted").emit))
    name = twistd.get("logfile")
    file: Any = sys.stdout
    if name == "-" and not twistd.get("nodaemon"):
        raise SystemExit("Daemons cannot log to stdout, exiting!")
    if name != "-" and (name or not twistd.get("nodaemon")):
        file = LogFile.fromFullPath(name or "twistd.log")
        _turn_over(file)
    from twisted.internet import reactor

    return LinesObserver(file, json_line if form == "json" else text_line, reactor)


def _turn_over(file: LogFile) -> None:
    """At SIGUSR1, as C{twistd} does it."""
    number = getattr(signal, "SIGUSR1", None)
    if number is not None and not signal.getsignal(number):

        def rotate(*_: Any) -> None:
            from twisted.internet import reactor

            reactor.callFromThread(file.rotate)  # type: ignore[attr-defined]

        signal.signal(number, rotate)


@lru_cache(maxsize=2)
def _second(when: int) -> str:
    return formatTime(when)


def _time(when: float | None) -> str:
    """As Twisted writes it; the lines of one second have the same."""
    return formatTime(when) if when is None else _second(int(when))


def text_line(event: LogEvent) -> str | None:
    """An event as Twisted's own text log has it."""
    if event.get("log_format") != "{line}" or "log_failure" in event or "log_system" in event:
        return formatEventAsClassicLogText(event, _time)
    # A line that was put together by who tells it, as the trail does for each of a thousand elements that come at once.
    level, line = event.get("log_level"), event["line"].replace("\n", "\n\t")
    system = f"{event.get('log_namespace', '-')}#{'-' if level is None else level.name}"
    return f"{_time(event.get('log_time'))} [{system}] {line}\n"


def json_line(event: LogEvent) -> str:
    """An event as a line of JSON."""
    time = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    level = event.get("log_level")
    said: dict[str, Any] = {
        "time": time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": level.name if level is not None else "info",
        "event": event.get("event", "message"),
        "text": formatEvent(event),
        "logger": event.get("log_namespace", ""),
    }
    failure = event.get("log_failure")
    if failure is not None:
        said["traceback"] = failure.getTraceback()
    for name, value in event.items():
        if name.startswith("log_") or name in _OURS or name in _HIDDEN or callable(value):
            continue
        said[name] = _value(name, value)
    return json.dumps(said) + "\n"


def _value(name: str, value: Any) -> Any:
    if name in _IDENTIFIERS and isinstance(value, int):
        return f"0x{value:08x}"
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
