"""A driver's loop on a Twisted reactor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.logger import Logger

from rserpool.node.counting import LimitedLog
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
