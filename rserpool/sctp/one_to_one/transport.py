"""What a one-to-one protocol sees of its association: a transport in Twisted's manner, with SCTP's messages."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IConsumer
from twisted.internet.protocol import BaseProtocol, connectionDone
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.frozen import frozen
from rserpool.sctp.interfaces import ISctpAssociation, ISctpProtocol


@implementer(IAddress)
@frozen
class SctpAddress:
    """One end of an association.

    @ivar hosts: IP addresses as text.
    @ivar port: the SCTP port.
    @ivar encapsulation: the UDP port of SCTP over UDP; 0 where none is used.
    """

    hosts: tuple[str, ...]
    port: int
    encapsulation: int = 0

    @property
    def type(self) -> str:
        """As Twisted's own addresses have it."""
        return "SCTP"

    @property
    def host(self) -> str:
        """The first address."""
        return self.hosts[0] if self.hosts else ""


@implementer(IConsumer)
class AssociationTransport(proxyForInterface(ISctpAssociation, "association")):  # type: ignore[misc]
    """The association of one protocol; messages go out by C{send}, or by L{write} with PPID 0 on stream 0.

    @ivar association: the association itself.
    """

    def __init__(self, reactor: Any, association: ISctpAssociation, host: SctpAddress) -> None:
        super().__init__(association)
        self._reactor = reactor
        self._host = host
        self._producer: Any = None
        self._streaming = True
        self._paused = False
        self.disconnecting = False

    def __repr__(self) -> str:
        return f"<AssociationTransport {self._host} to {self.peer}>"

    def write(self, data: bytes) -> None:
        """Send one message, as a consumer is written to."""
        self.send(data)

    def close(self) -> None:
        self.disconnecting = True
        self.association.close()

    def abort(self) -> None:
        self.disconnecting = True
        self.association.abort()

    def loseConnection(self) -> None:
        """L{close}, once a producer that is registered has ended."""
        self.disconnecting = True
        if self._producer is None:
            self.association.close()

    def abortConnection(self) -> None:
        """L{abort}."""
        self.abort()

    def getPeer(self) -> SctpAddress:
        """Where the peer is."""
        return SctpAddress(self.peer_addresses, self.peer.port, self.peer.encapsulation)

    def getHost(self) -> SctpAddress:
        """Where we are."""
        return SctpAddress(self.local_addresses or self._host.hosts, self._host.port, self._host.encapsulation)

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let C{producer} produce while the association takes more.

        @raise RuntimeError: if there is one already.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer}: {self._producer} was never unregistered")
        self._producer = producer
        self._streaming = streaming
        if not self.established:
            producer.stopProducing()
        elif not streaming:
            self._reactor.callLater(0, self._pull, producer)
        elif self._paused:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """The producer has ended."""
        self._producer = None
        if self.disconnecting:
            self.association.close()

    def paused(self) -> None:
        """The association takes no more now."""
        self._paused = True
        if self._producer is not None and self._streaming:
            self._producer.pauseProducing()

    def resumed(self) -> None:
        """It takes more."""
        self._paused = False
        if self._producer is not None:
            if self._streaming:
                self._producer.resumeProducing()
            else:
                self._pull(self._producer)

    def lost(self) -> None:
        """It is gone."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()

    def _pull(self, producer: Any) -> None:
        # One piece a turn, so that others have theirs.
        if producer is self._producer and not self._paused:
            producer.resumeProducing()
            if producer is self._producer:
                self._reactor.callLater(0, self._pull, producer)


@implementer(ISctpProtocol)
class SctpProtocol(BaseProtocol):
    """A protocol for one association that ignores everything; override what matters.

    @ivar transport: its L{AssociationTransport}.
    @ivar factory: the factory that built it, if that is a Twisted C{Factory}.
    """

    transport: Any = None
    factory: Any = None

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        """One whole message arrived."""

    def sendFailed(self, data: bytes, ppid: int) -> None:
        """A message was perhaps not delivered."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The association is gone."""
