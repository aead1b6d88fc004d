"""The end of a service's SCTP: graceful where peers answer, and in time where they do not (RFC 9260 section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rserpool.sctp.interfaces import ISctpEndpoint, ISctpStack

if TYPE_CHECKING:
    from rserpool.node.tcp_endpoint import TcpEndpoint

_log = Logger()

SHUTDOWN = 1.0
"""Seconds that associations have for a graceful shutdown."""


async def close(reactor: Any, endpoints: Sequence[ISctpEndpoint | TcpEndpoint], stack: ISctpStack | None) -> None:
    """Shut the associations of all endpoints down, abort those that do not answer, and close the stack, if given."""
    closing = [(endpoint, endpoint.stopListening()) for endpoint in endpoints]
    for endpoint, stopped in closing:
        if not await in_time(reactor, stopped):
            endpoint.abort()
    if stack is not None and not await in_time(reactor, stack.close()):
        _log.warn("SCTP did not stop within {seconds} s", seconds=SHUTDOWN)


async def in_time(reactor: Any, done: Deferred[None]) -> bool:
    """Wait for it, L{SHUTDOWN} seconds at most; whether it was done by then."""
    done.addTimeout(SHUTDOWN, reactor)
    try:
        await done
    except defer.TimeoutError:
        return False
    return True


def fire_within(reactor: Any, waiting: Deferred[None], seconds: float) -> None:
    """Let it fire after so many seconds, if it has not by then."""

    def fire() -> None:
        if not waiting.called:
            waiting.callback(None)

    def fired(result: Any) -> Any:
        if late.active():
            late.cancel()
        return result

    late = reactor.callLater(seconds, fire)
    waiting.addBoth(fired)
