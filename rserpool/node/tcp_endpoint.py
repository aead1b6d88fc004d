"""Where a user dials registrars over TCP (RFC 5352 section 2.1)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.defer import Deferred

from rserpool.core.addresses import TransportAddress
from rserpool.core.identity import Identity
from rserpool.node.tcp import AsapTcpProtocol, Make, connect_tcp
from rserpool.sctp.interfaces import ISctpHandler


class TcpEndpoint:
    """The connections of a user, as an L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>} has associations."""

    def __init__(self, reactor: Any, handler: ISctpHandler, make: Make | None = None) -> None:
        self._reactor = reactor
        self._handler = handler
        self._make = make or AsapTcpProtocol
        self._connections: set[AsapTcpProtocol] = set()
        self._stopped: Deferred[None] | None = None

    def connect(self, peer: TransportAddress, expected: Collection[Identity] | None = None) -> AsapTcpProtocol:
        """See L{connect_tcp}."""
        connection = connect_tcp(self._reactor, peer, self._handler, make=self._make, expected=expected)
        connection.gone = self._gone
        self._connections.add(connection)
        return connection

    def stopListening(self) -> Deferred[None]:
        """Close every connection.

        @return: a C{Deferred} that fires with C{None} when they are gone.
        """
        stopped = self._stopped = Deferred()
        for connection in tuple(self._connections):
            if connection.established:
                connection.close()
            else:
                connection.abort()
        self._look()
        return stopped

    def abort(self) -> None:
        """Abort every connection."""
        for connection in tuple(self._connections):
            connection.abort()

    def _gone(self, connection: AsapTcpProtocol) -> None:
        self._connections.discard(connection)
        self._look()

    def _look(self) -> None:
        if not self._connections and self._stopped is not None:
            stopped, self._stopped = self._stopped, None
            stopped.callback(None)
