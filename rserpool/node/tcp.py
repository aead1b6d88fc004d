"""ASAP over TCP, for pool users (RFC 5352 section 2.1; framing by the message length of RFC 5354 section 4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import WireError
from rserpool.core.identity import Credentials, Identity
from rserpool.core.wire.stream import is_whole, whole_messages
from rserpool.node.outlet import Outlet
from rserpool.node.sockets import notice_vanished
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, PIECE, PPID_ASAP, SEND_LIMIT, check_message, check_messages, tell
from rserpool.sctp.interfaces import ISctpAssociation, ISctpHandler
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.outgoing import Outgoing

MOST_UNSERVED = 64 * 1024
"""So many bytes are read ahead of a peer that waits for its turn."""
HALF_CLOSED = 10.0
"""Seconds that a peer which sends no more may take to read what it asked for."""


@implementer(ISctpAssociation, IPushProducer, IHalfCloseableProtocol)
class AsapTcpProtocol(Protocol):
    """One connection, with the face of an association: its handler need not know that it is TCP.

    It has one stream, and its messages carry L{PPID_ASAP}.
    """

    transport: Any
    unconfirmed_addresses: tuple[str, ...] = ()
    credentials: Credentials = None
    # The connections of a port have one that is limited.
    log: Logger | LimitedLog = Logger()

    def __init__(
        self,
        reactor: Any,
        handler: ISctpHandler,
        peer: TransportAddress,
        outbound: bool,
        expected: Collection[Identity] | None = None,
    ) -> None:
        self.peer = peer
        self.peer_addresses = peer.hosts
        self.local_addresses: tuple[str, ...] = ()
        self.encapsulated = False
        self.smoothed_round_trip: float | None = None
        self.outbound = outbound
        self.established = False
        self.buffered = 0
        self.outgoing = Outgoing()
        self.connector: IConnector | None = None
        self.gone: Callable[[AsapTcpProtocol], object] = lambda connection: None
        # Called once, with its first message; None afterwards.
        self.speaks: Callable[[AsapTcpProtocol], object] | None = None
        self._reactor = reactor
        self._handler = handler
        self._received = bytearray()
        self._outlet: Outlet
        self._queue: deque[bytes] = deque()
        # Whether the transport takes no more now, and whether the handler has been told that we are full.
        self._full = True
        self._paused = False
        self._closing = False
        self._aborted = False
        self._lost = False
        self._ending: IDelayedCall | None = None
        # Whether others have their turn, whether the transport was told so, and whether the peer has sent all.
        self._held = self._choked = self._ended = False

    # ISctpAssociation

    def send(self, data: bytes, ppid: int = PPID_ASAP, stream: int = 0, unordered: bool = False) -> None:
        check_message(data, 0)
        if self._lost or self._closing:
            return
        if not self._full:
            self._write(data)
            return
        self._queue.append(data)
        self.buffered += len(data)
        held = max(self.buffered, PIECE * len(self._queue))
        glutton = self if held > SEND_LIMIT else self.outgoing.holds(self, held)
        if glutton is not None:
            glutton.give_up()
        if held > HIGH_WATER and not self._paused and not self._aborted:
            self._paused = True
            tell(self.log, self._handler.associationPaused, self)

    def give_up(self) -> None:
        """Too much waits for a peer that reads nothing."""
        self.log.error("{peer} takes no more data: dropped", peer=str(self.peer))
        self.abort()

    def sendAll(self, several: Sequence[bytes], ppid: int = PPID_ASAP) -> None:
        check_messages(several)
        for data in several:
            self.send(data, ppid)

    def early(self, data: bytes, ppid: int) -> bool:
        """See L{ISctpAssociation.early}; nothing can be sent before it is up."""
        return False

    def after(self, call: Callable[[], object]) -> None:
        """See L{ISctpAssociation.after}."""
        call()

    def bundle(self) -> None:
        """TCP does that by itself."""

    def probe(self) -> None:
        """The host of a process that has ended closes its connections by itself."""

    def close(self) -> None:
        if not self._lost and not self._closing:
            self._closing = True
            self._finish()

    def abort(self) -> None:
        if self._lost or self._aborted:
            return
        self._aborted = self._closing = True
        self.established = False
        self._full = True
        if self.connected:
            self.transport.abortConnection()
        else:
            if self.connector is not None:
                self.connector.stopConnecting()
            self._reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    # IPushProducer: what the transport asks of us

    def pauseProducing(self) -> None:
        self._full = True

    def resumeProducing(self) -> None:
        self._full = False
        while self._queue and not self._full:
            data = self._queue.popleft()
            self.buffered -= len(data)
            self._write(data)
        self.outgoing.holds(self, max(self.buffered, PIECE * len(self._queue)))
        if self._paused and max(self.buffered, PIECE * len(self._queue)) <= LOW_WATER:
            self._paused = False
            tell(self.log, self._handler.associationResumed, self)
        if self._closing:
            self._finish()

    def stopProducing(self) -> None:
        """The connection is lost; L{connectionLost} tells it."""

    # Protocol

    def connectionMade(self) -> None:
        self._made()
        self._up()

    def _made(self) -> None:
        """There is a connection."""
        self.local_addresses = (_host(self.transport.getHost()),)
        self.peer_addresses = (_host(self.transport.getPeer()),)
        self.transport.setTcpNoDelay(True)
        self._outlet = Outlet(self.transport)
        notice_vanished(self.transport, unread=True)

    def _up(self) -> None:
        """Messages may come and go."""
        self.established = True
        self.transport.registerProducer(self, True)
        tell(self.log, self._handler.associationUp, self)
        if not self._lost and not self._aborted:
            self.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        if not self._received and not self._held and is_whole(data):
            if self.speaks is not None:
                self._speak()
            tell(self.log, self._handler.messageReceived, self, data, PPID_ASAP, 0, False)
            return
        self._received += data
        if self._held:
            if len(self._received) > MOST_UNSERVED and not self._choked:
                self._choked = True
                self.transport.pauseProducing()
            return
        gathering = self._outlet.gather()
        try:
            for message in whole_messages(self._received):
                self._speak()
                tell(self.log, self._handler.messageReceived, self, message, PPID_ASAP, 0, False)
                if self._aborted or self._held:
                    break
        except WireError:
            length = int.from_bytes(self._received[2:4], "big")
            self.log.warn("{peer} sent a message of length {length}: dropped", peer=str(self.peer), length=length)
            self.abort()
        finally:
            if gathering:
                self._scatter()

    def stop_reading(self) -> None:
        """Deliver no further message for a while."""
        self._held = True

    def start_reading(self) -> None:
        """Deliver what came meanwhile, and what comes."""
        self._held = False
        if self._lost or self._aborted:
            return
        self.dataReceived(b"")
        if self._held or self._aborted:
            return
        if self._choked:
            self._choked = False
            self.transport.resumeProducing()
        if self._ended:
            self.readConnectionLost()

    # IHalfCloseableProtocol

    def readConnectionLost(self) -> None:
        """The peer sends no more: it still gets its answers, if it reads them."""
        if self._held:
            self._ended = True
            return
        self._closing = True
        if self.outbound:
            # A registrar that sends no more is none.
            self._queue.clear()
        self._ending = self._reactor.callLater(HALF_CLOSED, self.abort)
        self._finish()

    def writeConnectionLost(self) -> None:
        """Nobody asks for it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._lost:
            return
        self._lost = True
        if self._ending is not None and self._ending.active():
            self._ending.cancel()
        if self.connected:
            self._outlet.close()
        self.established = False
        self.buffered = 0
        self.outgoing.holds(self, 0)
        if self._aborted:
            reason = Failure(ConnectionAborted())
        elif reason.check(ConnectionAborted):
            reason = Failure(ConnectionLost())
        while self._queue:
            tell(self.log, self._handler.sendFailed, self, self._queue.popleft(), PPID_ASAP)
        tell(self.log, self._handler.associationLost, self, reason)
        self.gone(self)

    def _speak(self) -> None:
        speaks, self.speaks = self.speaks, None
        if speaks is not None:
            speaks(self)

    def _write(self, data: bytes) -> None:
        if not self._outlet.write(data + bytes(-len(data) % 4) if len(data) & 3 else data):
            self._full = True

    def _scatter(self) -> None:
        if not self._aborted and not self._outlet.scatter():
            self._full = True

    def _finish(self) -> None:
        """Close, if nothing waits any more."""
        if self.established and not self._queue:
            self._scatter()
            self.transport.unregisterProducer()
            self.transport.loseConnection()


Make: TypeAlias = Callable[..., AsapTcpProtocol]
"""Makes a connection, as L{AsapTcpProtocol} does; L{rserpool.node.tls_tcp.over_tls} has the one that speaks TLS."""


class _Connecting(ClientFactory):
    """Tries the addresses of one peer, one after the other."""

    noisy = False

    def __init__(self, reactor: Any, connection: AsapTcpProtocol, timeout: float) -> None:
        self._reactor = reactor
        self._connection = connection
        self._timeout = timeout
        self._hosts = list(connection.peer.hosts)

    def connect(self) -> None:
        """Try the next address."""
        self._connection.connector = self._reactor.connectTCP(
            self._hosts.pop(0), self._connection.peer.port, self, self._timeout
        )

    def buildProtocol(self, address: IAddress | None) -> AsapTcpProtocol:
        return self._connection

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._connection.connector = None
        if self._connection._aborted:
            return
        if self._hosts:
            self.connect()
        else:
            self._connection.connectionLost(reason)


def connect_tcp(
    reactor: Any,
    peer: TransportAddress,
    handler: ISctpHandler,
    timeout: float = 5.0,
    make: Make = AsapTcpProtocol,
    expected: Collection[Identity] | None = None,
) -> AsapTcpProtocol:
    """Connect to a registrar; the handler's C{associationUp} or C{associationLost} follows, never during this call.

    @param timeout: seconds for each of the peer's addresses.
    @param expected: the names one of which the registrar's certificate has to have; None: those of a learned one.
    """
    connection = make(reactor, handler, peer, True, expected)
    _Connecting(reactor, connection, timeout).connect()
    return connection


def _host(address: Any) -> str:
    return str(address.host)
