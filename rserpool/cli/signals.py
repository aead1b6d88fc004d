"""Signals of a subcommand that wants to know them before its reactor does."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.error import ReactorNotRunning

RELOADING = tuple(getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name))
"""Signals that ask a service to load anew what it can, and never end it."""
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))
"""Signals that ask a process to end."""


def on_signals(reactor: Any, numbers: tuple[int, ...], callback: Callable[[int], object]) -> Callable[[], None]:
    """Have C{callback} called, with the number, when one of these signals comes; nothing else happens then.

    A signal that was ignored from the start (as C{nohup} does it) stays ignored. A reactor in a test has no signals.

    @return: a function that puts everything back.
    """
    before: dict[int, Any] = {}
    if isinstance(reactor, ReactorBase):
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda number, _frame: reactor.callFromThread(callback, number))

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def stop(reactor: Any) -> None:
    """Stop the reactor, if it has not been stopped already."""
    try:
        reactor.stop()
    except ReactorNotRunning:
        pass
