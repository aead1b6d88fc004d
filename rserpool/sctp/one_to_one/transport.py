"""What a one-to-one protocol sees of its association: a transport in Twisted's manner, with SCTP's messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IConsumer
from twisted.internet.protocol import BaseProtocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.interfaces import ISctpAssociation, ISctpProtocol


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
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


@implementer(ISctpAssociation, IConsumer)
class AssociationTransport:
    """The association of one protocol; messages go out by L{send}, or by L{write} with PPID 0 on stream 0."""

    _log = Logger()

    def __init__(self, reactor: Any, association: ISctpAssociation, host: SctpAddress) -> None:
        self._reactor = reactor
        self._association = association
        self._host = host
        self._producer: Any = None
        self._streaming = True
        self._paused = False
        self.disconnecting = False

    def __repr__(self) -> str:
        return f"<AssociationTransport {self._host} to {self.peer}>"

    @property
    def peer(self) -> TransportAddress:
        """The address that was dialled, or that of the peer as seen."""
        return self._association.peer  # type: ignore[no-any-return]

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        """The peer's IP addresses."""
        return self._association.peer_addresses  # type: ignore[no-any-return]

    @property
    def smoothed_round_trip(self) -> float | None:
        """The smoothed round trip time in seconds, where it is known."""
        return self._association.smoothed_round_trip  # type: ignore[no-any-return]

    @property
    def local_addresses(self) -> tuple[str, ...]:
        """Our IP addresses."""
        return self._association.local_addresses  # type: ignore[no-any-return]

    @property
    def outbound(self) -> bool:
        """Whether we opened it."""
        return self._association.outbound  # type: ignore[no-any-return]

    @property
    def established(self) -> bool:
        """Whether it is up."""
        return self._association.established  # type: ignore[no-any-return]

    @property
    def buffered(self) -> int:
        """Bytes that wait for the stack."""
        return self._association.buffered  # type: ignore[no-any-return]

    def send(self, data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        self._association.send(data, ppid, stream, unordered)

    def write(self, data: bytes) -> None:
        """Send one message, as a consumer is written to."""
        self.send(data)

    def probe(self) -> None:
        self._association.probe()

    def close(self) -> None:
        self.disconnecting = True
        self._association.close()

    def abort(self) -> None:
        self.disconnecting = True
        self._association.abort()

    def loseConnection(self) -> None:
        """L{close}, once a producer that is registered has ended."""
        self.disconnecting = True
        if self._producer is None:
            self._association.close()

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
            self._association.close()

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
