"""A reactor whose timers hang on the monotonic clock: setting the wall clock neither delays nor hastens them.

Twisted's own hang on the wall clock. When that is set back by an hour, no timer fires for an hour: no keep-alive, no
SCTP heartbeat, no retransmission, and everybody takes the process for dead.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.base import ReactorBase


def make_steady(reactor: Any) -> None:
    """Let the reactor's clock run evenly from now on; it goes on from the present wall-clock time.

    Whatever of this package runs on a reactor does this: a service that another program embeds would stand still
    as well. Timers that were set before fire when they would have. A clock that tests advance is left as it is.
    """
    if isinstance(reactor, ReactorBase) and getattr(reactor.seconds, "steady", None) is None:
        reactor.seconds = _SteadySeconds()


class _SteadySeconds:
    """Seconds since the epoch, as they were known when this was made."""

    steady = True

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._offset
