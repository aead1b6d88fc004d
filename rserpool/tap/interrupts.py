"""Who interrupts a start, or mistypes an endpoint string, wants no traceback: this is imported first."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any


def _excepthook(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """The status is what it would be, as ever."""
    if issubclass(kind, KeyboardInterrupt):
        return
    from twisted.internet.error import CannotListenError

    from rserpool.core.errors import RSerPoolError

    if issubclass(kind, RSerPoolError | CannotListenError):
        print(f"twistd: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _excepthook


def end_by_signals(reactor: Any) -> None:
    """Have the reactor end by SIGINT and SIGTERM, though it does not run yet.

    It takes them by itself while it begins to run, and swallows a Ctrl-C that comes within that, once or for good; but
    services have told that they serve by then. What comes before it runs is done as soon as it does, but for the
    second Ctrl-C.
    """
    from twisted.internet.base import ReactorBase

    if not isinstance(reactor, ReactorBase) or reactor._startedBefore or reactor.running:
        return
    early: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        early.append(number)
        if len(early) > 1 and not reactor.running:
            signal.default_int_handler(number, frame)
        reactor.sigInt(number, frame)

    try:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # The reactor leaves a handler that is not Python's.
            signal.signal(signal.SIGINT, interrupt)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, reactor.sigTerm)
    except ValueError:
        # Not in the main thread: nobody will send them here.
        return
