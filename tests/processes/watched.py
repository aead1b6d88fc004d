"""Waits for processes that are no children of the test: Linux tells by a descriptor when one has ended."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed


def ended(case: Any, pid: int) -> Deferred[None]:
    """Fires when a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return succeed(None)
    case.addCleanup(os.close, descriptor)
    told: Deferred[None] = Deferred()
    network: Any = reactor
    network.addReader(_Ending(descriptor, told))
    return told


class _Ending:
    """A descriptor that becomes readable."""

    def __init__(self, descriptor: int, told: Deferred[None]) -> None:
        self._descriptor = descriptor
        self._told = told

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "a process that ends"

    def doRead(self) -> None:
        network: Any = reactor
        network.removeReader(self)
        self._told.callback(None)

    def connectionLost(self, reason: Any) -> None:
        """Nothing is lost."""
