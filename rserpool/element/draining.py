"""Waiting until the connections to the ports of an element have ended; those that are idle are ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from rserpool.node.leaving import accept_waiting, close_to_others
from rserpool.node.reactor import clock_of
from rserpool.sctp.one_to_one.ports import SctpPort

LOOK = 0.05
"""Seconds between two looks at the connections."""
IDLE = 0.5
"""Seconds after which a connection that waits for a request is ended: the first one may be on its way."""


async def closed(
    reactor: Any, ports: Sequence[Any], grace: float, log: Logger, ours: Sequence[Any] | None = None
) -> None:
    """Drain these ports, and then let nobody come any more; who came in the last moment has the rest of the time.

    @param ours: those of them that may be closed; all by default.
    """
    now = clock_of(reactor)
    deadline = now() + grace
    await drained(reactor, ports, grace, log)
    close_to_others(ports if ours is None else ours)
    await drained(reactor, ports, max(0.0, deadline - now()), log)


async def drained(reactor: Any, ports: Sequence[Any], grace: float, log: Logger) -> None:
    """Wait until the connections to these ports have ended, C{grace} seconds at most.

    Idle ones are ended after L{IDLE} seconds: those of C{twisted.web}, of sessions that owe no answer, and of protocols
    whose attribute C{idle} is true.
    """
    now = clock_of(reactor)
    deadline = now() + grace
    since: dict[Any, float] = {}
    if count := connections(reactor, ports):
        log.info("{count} connections: draining", count=count)
    accept_waiting(ports)
    while connections(reactor, ports) and now() < deadline:
        end_idle(reactor, ports, since, now())
        await deferLater(reactor, LOOK)
        accept_waiting(ports)


def connections(reactor: Any, ports: Sequence[Any]) -> int:
    """How many connections to these ports are open, over TCP and SCTP, as far as the reactor knows."""
    associations = sum(port.associations for port in ports if isinstance(port, SctpPort))
    return associations + len(_connections(reactor, ports))


def _connections(reactor: Any, ports: Sequence[Any]) -> list[Any]:
    """The connections to these ports that are open over TCP, as far as the reactor knows."""
    readers = {*reactor.getReaders(), *reactor.getWriters()}
    return [reader for reader in readers if getattr(reader, "server", None) in ports]


def end_idle(reactor: Any, ports: Sequence[Any], since: dict[Any, float], now: float) -> None:
    """End the connections that are idle for L{IDLE} seconds.

    @param since: since when each one is, as this knows from the last call.
    """
    idle = _idle(reactor, ports)
    for each in [each for each in since if each not in idle]:
        del since[each]
    for each, end in idle.items():
        if now - since.setdefault(each, now) >= IDLE:
            end()


def _idle(reactor: Any, ports: Sequence[Any]) -> dict[Any, Any]:
    """What is idle, and how it is ended: politely, so that nobody is blamed for it."""
    sessions = [each for port in ports for each in getattr(getattr(port, "factory", None), "sessions", ())]
    idle = {each: each.go_elsewhere for each in sessions if getattr(each, "idle", False)}
    for connection in _connections(reactor, ports):
        protocol = _innermost(getattr(connection, "protocol", None))
        if _is_idle(protocol):
            # Those of twisted.web are producers of their transports, and stop that first.
            idle[connection] = getattr(protocol, "loseConnection", protocol.transport.loseConnection)
    return idle


def _innermost(protocol: Any) -> Any:
    """What speaks, whatever wraps it (TLS)."""
    for inner in ("wrappedProtocol", "_channel"):
        while getattr(protocol, inner, None) is not None:
            protocol = getattr(protocol, inner)
    return protocol


def _is_idle(protocol: Any) -> bool:
    """Whether it waits for a request, and has none."""
    http: Any = sys.modules.get("twisted.web.http")
    if http is not None and isinstance(protocol, http.HTTPChannel):
        # Neither a request under way, nor the beginning of one.
        return not protocol.requests and not protocol._buffer and bool(protocol._HTTPChannel__first_line)
    if type(protocol).__name__ == "H2Connection":
        return not protocol.streams
    return getattr(protocol, "idle", None) is True
