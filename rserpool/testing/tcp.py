"""TCP in memory (RFC 9293), as Twisted's protocols see it: connections between the processes of a scope."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IListeningPort,
    IPushProducer,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.sctp.memory import MemoryStack
from rserpool.testing.network import ScopeNetwork

Address = IPv4Address | IPv6Address
_FIN = b""
HIGH_WATER = 64 * 1024
"""More bytes than this at the sender: its producer is paused."""


def address_of(host: str, port: int) -> Address:
    """Twisted's address of one end."""
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)


class TcpHost(Protocol):
    """What a connection wants of the reactor of its process."""

    host: str
    stack: MemoryStack
    network: ScopeNetwork
    dead: bool
    stalled: bool

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any: ...  # noqa: A002

    def enter(self, function: Callable[..., Any], *arguments: Any) -> None: ...

    def connection_ended(self, end: TcpEnd) -> None: ...


@implementer(ITCPTransport, IConsumer, IPushProducer)
class TcpEnd:
    """One end of a connection: the transport of its protocol, and the way to the other end.

    @ivar server: the port that accepted it; None at the client.
    @ivar lost: told when the protocol has been told that the connection is gone.
    """

    _log = Logger()

    def __init__(self, reactor: TcpHost, host: Address, peer: Address, server: IListeningPort | None = None) -> None:
        # As Twisted's own has it.
        self.reactor: Any = reactor
        self._reactor = reactor
        self._network = reactor.network
        self._host = host
        self._peer = peer
        self.server = server
        self.protocol: Any = None
        self.lost: Callable[[Failure], None] = lambda reason: None
        self.remote: TcpEnd
        self.connected = False
        self.disconnecting = False
        self._queue: deque[bytes] = deque()
        self._buffered = 0
        self._flight: deque[tuple[float, bytes]] = deque()
        self._flying = 0
        self._unread: deque[bytes] = deque()
        self._reading = True
        self._fin_sent = self._fin_put = False
        self._dead = False
        self._call: IDelayedCall | None = None
        self._producer: Any = None
        self._streaming = True
        self._paused = False
        self._network.tcp_added(self)

    def __repr__(self) -> str:
        return f"<TcpEnd {self._host.host}:{self._host.port} to {self._peer.host}:{self._peer.port}>"

    def begin(self, protocol: Any) -> None:
        """The connection is up at this end."""
        self.protocol = protocol
        self.connected = True
        protocol.makeConnection(self)
        self._read()

    # ITCPTransport

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError("Data must not be str")
        # As with Twisted's sockets: what is written before the connection is closed still goes out.
        if not self.connected or self._fin_sent or not data:
            return
        self._queue.append(bytes(data))
        self._buffered += len(data)
        self._fill()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._reactor.callLater(0, self._fill)

    def loseWriteConnection(self) -> None:
        """Send no more; what the peer sends is still received."""
        if self.connected and not self._fin_sent:
            self._fin_sent = True
            self._fill()

    def abortConnection(self) -> None:
        """Reset it."""
        if self.connected:
            self.disconnecting = True
            self._finish()
            self._reset(self.remote)
            self._reactor.callLater(0, self._tell_lost, ConnectionAborted())

    def getPeer(self) -> Address:
        return self._peer

    def getHost(self) -> Address:
        return self._host

    def getTcpNoDelay(self) -> bool:
        return False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Everything is sent at once."""

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """None are sent."""

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer}: {self._producer} was never unregistered")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer, self._streaming = producer, streaming
        if not streaming:
            self._reactor.callLater(0, self._pull, producer)

    def unregisterProducer(self) -> None:
        self._producer = None
        self._fill()

    # IPushProducer: the protocol does not want to read now

    def pauseProducing(self) -> None:
        self._reading = False

    def resumeProducing(self) -> None:
        if not self._reading and self.connected:
            self._reading = True
            self._reactor.callLater(0, self._read)

    def stopProducing(self) -> None:
        self.loseConnection()

    # The way to the other end

    def review(self) -> None:
        """The network changed: what waited may pass now."""
        if self._flight and self._call is None:
            self._schedule(0.0)

    def forget(self) -> None:
        """Nobody wants it."""
        self._network.tcp_removed(self)
        self._reactor.connection_ended(self)

    def die(self) -> None:
        """The process is dead: its system closes the connection, if it still can."""
        reset = bool(self._unread)
        self._dead = True
        self._finish(keep=True)
        stack, target = self._reactor.stack, self.remote._reactor.stack
        if self._network.tcp_broken(stack, target):
            self._flight.clear()
        elif reset:
            self._reset(self.remote)
        elif not self._fin_put:
            self._put(_FIN)

    def _fill(self) -> None:
        """Put on the way what the window has room for, then the end."""
        if not self.connected:
            return
        while self._queue and self._flying < self._network.tcp_window:
            data = self._queue.popleft()
            self._buffered -= len(data)
            self._flying += len(data)
            self._put(data)
        if not self._queue:
            if self._paused and self._producer is not None and self._streaming:
                self._paused = False
                self._producer.resumeProducing()
            closing = self.disconnecting and self._producer is None and self.connected
            if (closing or self._fin_sent) and not self._fin_put:
                self._fin_put = True
                self._put(_FIN)
            if closing:
                self._finish(keep=True)
                self._reactor.callLater(0, self._tell_lost, ConnectionDone())
        elif self._buffered > HIGH_WATER and self._producer is not None and self._streaming and not self._paused:
            self._paused = True
            self._producer.pauseProducing()

    def _pull(self, producer: Any) -> None:
        if producer is self._producer and self.connected:
            if self._queue:
                self._reactor.callLater(self._network.latency, self._pull, producer)
            else:
                producer.resumeProducing()
                self._reactor.callLater(0, self._pull, producer)

    def _put(self, data: bytes) -> None:
        seconds = self._network.tcp_transit(self._reactor.stack, self.remote._reactor.stack)
        now = self._network.clock.seconds()
        due = max(now + seconds, self._flight[-1][0] if self._flight else 0.0)
        self._flight.append((due, data))
        if self._call is None:
            self._schedule(due - now)

    def _schedule(self, seconds: float) -> None:
        self._call = self._network.clock.callLater(max(0.0, seconds), self._flush)

    def _flush(self) -> None:
        """Deliver what is due."""
        self._call = None
        network, remote = self._network, self.remote
        while self._flight:
            due, data = self._flight[0]
            if network.tcp_stopped(self._reactor.stack, remote._reactor.stack):
                return
            if due > network.clock.seconds():
                self._schedule(due - network.clock.seconds())
                return
            self._flight.popleft()
            if remote._dead or (not remote.connected and remote.protocol is not None):
                # Nobody is there any more: a reset comes back (RFC 9293 section 3.5.2).
                self._flight.clear()
                if data:
                    self._reset(self)
                return
            remote._unread.append(data)
            remote._reactor.enter(remote._read)

    def _read(self) -> None:
        """The protocol takes what has come."""
        while self._unread and self._reading and self.connected and self.protocol is not None:
            data = self._unread.popleft()
            if data == _FIN:
                self._ended()
                return
            try:
                self.protocol.dataReceived(data)
            except Exception:
                self._log.failure("{protocol} failed: the connection is reset", protocol=type(self.protocol).__name__)
                self.abortConnection()
                return
            self.remote._taken(len(data))

    def _taken(self, size: int) -> None:
        self._flying -= size
        self._fill()

    def _ended(self) -> None:
        """The peer sends no more."""
        if IHalfCloseableProtocol.providedBy(self.protocol) and not self.disconnecting:
            self.protocol.readConnectionLost()
        else:
            self._finish()
            self._tell_lost(ConnectionDone())

    def _reset(self, end: TcpEnd) -> None:
        """A reset arrives at C{end}, unless the way is broken."""
        source = end.remote._reactor.stack
        network = self._network

        def arrive() -> None:
            if end.connected and not network.tcp_broken(source, end._reactor.stack):
                end._finish()
                end._reactor.enter(end._tell_lost, ConnectionLost())

        network.clock.callLater(network.tcp_transit(source, end._reactor.stack), arrive)

    def _finish(self, keep: bool = False) -> None:
        """Nothing more goes in.

        @param keep: whether what is on the way still arrives.
        """
        self.connected = False
        self._queue.clear()
        self._buffered = 0
        self._unread.clear()
        if not keep:
            self._flight.clear()

    def _tell_lost(self, reason: Exception) -> None:
        self._network.tcp_removed(self)
        producer, self._producer = self._producer, None
        if self._dead:
            return
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            self._reactor.connection_ended(self)
            failure = Failure(reason)
            try:
                self.protocol.connectionLost(failure)
            finally:
                self.lost(failure)
