"""Where users connect over TCP (RFC 5352 section 2.1): no machine takes all the room, nobody keeps it in silence."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.node.activation import adopt, inherited
from rserpool.node.reactor import clock_of
from rserpool.node.sockets import room_for_connections
from rserpool.node.tcp import AsapTcpProtocol, Make
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.outgoing import Outgoing

MOST_OF_ONE = 1_000
"""So many connections of one machine are accepted."""


class _Accepting(ServerFactory):
    """Gives each connection to the handler; when the port is closed they are closed, too."""

    noisy = False

    def __init__(self, reactor: Any, handler: ISctpHandler, most_of_one: int, make: Make) -> None:
        self._reactor = reactor
        self._handler = handler
        self._make = make
        self._log = LimitedLog(Logger(), clock_of(reactor))
        self._outgoing = Outgoing()
        self._connections: dict[AsapTcpProtocol, None] = {}
        most = room_for_connections(reactor)
        self._guests = Guests(reactor, "connections", most, min(most_of_one, max(1, most // 2)))

    def buildProtocol(self, address: Any) -> AsapTcpProtocol | None:
        if not self._guests.room(address.host):
            return None
        peer = TransportAddress((address.host,), address.port, protocol="tcp")
        connection = self._make(self._reactor, self._handler, peer, False, None)
        connection.log, connection.outgoing = self._log, self._outgoing
        connection.gone, connection.speaks = self._gone, self._guests.speaks
        self._connections[connection] = None
        self._guests.comes(connection, address.host)
        return connection

    def stopFactory(self) -> None:
        for connection in tuple(self._connections):
            if connection.established:
                connection.close()
            else:
                # In its handshake nobody has anything to say any more.
                connection.abort()

    def _gone(self, connection: AsapTcpProtocol) -> None:
        del self._connections[connection]
        self._guests.goes(connection)


def listen_tcp(
    reactor: Any,
    host: str,
    port: int,
    handler: ISctpHandler,
    most_of_one: int = MOST_OF_ONE,
    make: Make | None = None,
    activated: bool = False,
) -> IListeningPort:
    """Serve ASAP over TCP; port 0 lets the system choose. Closing the port closes its connections.

    @param most_of_one: so many connections of one machine are accepted, but never more than half of the file
        descriptors that this process may have.
    @param make: what makes the connections: L{rserpool.node.tls_tcp.over_tls} has those that speak TLS; None for
        those in the clear.
    @param activated: whether a socket that systemd opened for it is taken, see L{rserpool.node.activation}.
    @raise twisted.internet.error.CannotListenError: if the port is taken or the address is not local.
    """
    accepting = _Accepting(reactor, handler, most_of_one, make or AsapTcpProtocol)
    found = inherited("asap-tcp", (host, port)) if activated else None
    if found is not None:
        return adopt(reactor, found, accepting)  # type: ignore[no-any-return]
    return reactor.listenTCP(port, accepting, interface=host)  # type: ignore[no-any-return]


def cannot_listen(error: CannotListenError) -> str:
    """The same in plain words: where, and why not."""
    reason = error.socketError
    cause = getattr(reason, "strerror", None) or str(reason)
    return f"cannot listen on {error.interface or 'any address'} port {error.port}: {cause}"
