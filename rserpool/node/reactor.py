"""A driver's loop on a Twisted reactor."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

from rserpool.node.counting import LimitedLog
from rserpool.sctp.alarm import Alarm
from rserpool.sctp.steady import make_steady

LOG = Logger(namespace="rserpool.node")


def clock_of(reactor: Any) -> Callable[[], float]:
    """The monotonic clock that goes with a reactor: a real one counts wall-clock time, which may jump."""
    return time.monotonic if isinstance(reactor, ReactorBase) else reactor.seconds


class ReactorLoop:
    """See L{Loop<rserpool.node.loop.Loop>}."""

    def __init__(self, reactor: Any) -> None:
        make_steady(reactor)
        self.now = clock_of(reactor)
        self.log = LimitedLog(LOG, self.now)
        self.call_later = reactor.callLater
        self._reactor = reactor

    def alarm(self, rings: Callable[[], object]) -> Alarm | None:
        """See L{Driver<rserpool.node.driver.Driver>}; None where there is none."""
        real = sys.platform == "linux" and isinstance(self._reactor, ReactorBase)
        return Alarm(self._reactor, rings) if real and IReactorFDSet.providedBy(self._reactor) else None
