"""Whether somebody reads what a command prints: a pipe tells at once when its other end is closed."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from typing import Any, TextIO

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IReadDescriptor)
class Audience:
    """Those who read C{out}; before there is something to write, and without a look now and then.

    @param gone: called once when nobody does any more.
    """

    def __init__(self, reactor: Any, out: TextIO, gone: Callable[[], object]) -> None:
        self._reactor = reactor
        self._gone = gone
        self._fd = -1
        try:
            fd = out.fileno()
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                self._fd = fd
        except (OSError, ValueError):
            # No file of the system.
            pass

    def start(self) -> None:
        """Begin, if it is a pipe."""
        if self._fd >= 0:
            self._reactor.addReader(self)

    def stop(self) -> None:
        """Watch no more."""
        if self._fd >= 0:
            self._reactor.removeReader(self)
            self._fd = -1

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "output"

    def doRead(self) -> None:
        # We write to it: only an error makes it readable.
        waiting = select.poll()
        waiting.register(self._fd, 0)
        gone = any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(0))
        self.stop()
        if gone:
            self._gone()

    def connectionLost(self, reason: Failure) -> None:
        if self._fd >= 0:
            self.stop()
            self._gone()
