"""Ports that close without a loss: who is connected already, and was not seen yet, is served to the end.

The system connects clients before their port is read. When it closes, those that wait there are reset, with what they
have sent; Twisted closes a port a turn of the reactor after it has read it for the last time.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from rserpool.sctp.one_to_one.ports import SctpPort

MOST = 1_000
"""So often a port is read at once, at most: there may be no end of those that come."""


def accept_waiting(ports: Sequence[Any]) -> None:
    """Take the connections that wait at these ports."""
    for port in _tcp(ports):
        waiting = select.poll()
        waiting.register(port.fileno(), select.POLLIN)
        for _ in range(MOST):
            if not port.connected or not waiting.poll(0):
                break
            port.doRead()


def close_to_others(ports: Sequence[Any]) -> None:
    """Let nobody come any more, and lose nobody who has: over TCP a port is closed, over SCTP associations stay.

    Each port is still to be closed as it always is.
    """
    for port in _tcp(ports):
        port.stopReading()
        accept_waiting([port])
        if port.connected:
            port.connectionLost(Failure(ConnectionDone()))
    for port in ports:
        if isinstance(port, SctpPort):
            port.acceptNoMore()


def _tcp(ports: Sequence[Any]) -> list[Any]:
    # It loads TLS.
    from twisted.internet.tcp import Port

    return [port for port in ports if isinstance(port, Port) and port.connected]
