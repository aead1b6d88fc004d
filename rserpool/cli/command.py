"""A command as a child process, with our standard input and output, and our signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool

from rserpool.cli.signals import ENDING, on_signals, stop
from rserpool.core.errors import RSerPoolError

CANNOT_RUN = 126
NOT_FOUND = 127

_PASSED_ON = (*ENDING, signal.SIGUSR1, signal.SIGUSR2)


class CannotRun(RSerPoolError):
    """There is no such command, or it cannot be executed.

    @ivar status: 127 or 126, as shells have it.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Command:
    """Runs a command, as often as wanted, but not twice at the same time.

    @ivar told_to_end: whether a signal came that asks it, or us, to end.
    """

    def __init__(self, reactor: Any, words: Sequence[str]) -> None:
        """
        @raise CannotRun: if it cannot be found.
        """
        self._reactor = reactor
        self._words = list(words)
        self._child: subprocess.Popen[bytes] | None = None
        self.told_to_end = False
        name = self._words[0]
        if shutil.which(name) is None:
            if os.path.exists(name) and os.sep in name:
                raise CannotRun(f"{name}: this cannot be executed", CANNOT_RUN)
            raise CannotRun(f"{name}: there is no such command", NOT_FOUND)
        self._restore = on_signals(reactor, _PASSED_ON, self._signal)

    async def run(self, environment: Mapping[str, str]) -> int:
        """Run it once.

        @param environment: what is added to our own.
        @return: its exit status; 128 and the number of the signal that ended it.
        @raise CannotRun: if it cannot be executed.
        """
        try:
            child = self._child = subprocess.Popen(self._words, env={**os.environ, **environment})
        except OSError as error:
            raise CannotRun(f"{self._words[0]}: {error.strerror or error}", CANNOT_RUN) from None
        ended: Deferred[int] = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), child.wait)
        try:
            status = await ended
        except CancelledError:
            child.terminate()
            raise
        finally:
            self._child = None
        return status if status >= 0 else 128 - status

    def done(self) -> None:
        """It will not run again: signals do to us what they did."""
        self._restore()

    def _signal(self, number: int) -> None:
        if number in ENDING:
            self.told_to_end = True
        if self._child is None:
            if number in ENDING:
                stop(self._reactor)
        elif number not in (signal.SIGINT, signal.SIGQUIT) or not _in_foreground():
            self._child.send_signal(number)


def _in_foreground() -> bool:
    """Whether a terminal sends what is typed there to us and our children alike."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0) == os.getpgrp()
    except (OSError, ValueError):
        return False
