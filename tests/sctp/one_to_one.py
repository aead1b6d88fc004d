"""Protocols and factories for tests of the one-to-one style."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.sctp import SctpProtocol, connectSCTP, listenSCTP
from rserpool.sctp.base import MAX_MESSAGE
from rserpool.sctp.memory import Network


class Messages(SctpProtocol):
    """Writes down what it gets."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, int, int, bool]] = []
        self.failed: list[tuple[bytes, int]] = []
        self.lost: list[Any] = []
        self.made = 0

    def connectionMade(self) -> None:
        self.made += 1

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.received.append((data, ppid, stream, unordered))

    def sendFailed(self, data: bytes, ppid: int) -> None:
        self.failed.append((data, ppid))

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason.type)


class Bytes(Protocol):
    """The same for a stream."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason.type)


class Serving(ServerFactory):
    """Keeps what it built."""

    protocol: Any = Messages

    def __init__(self, protocol: Any = Messages) -> None:
        self.protocol = protocol
        self.built: list[Any] = []
        self.addresses: list[Any] = []
        self.states: list[str] = []

    def startFactory(self) -> None:
        self.states.append("started")

    def stopFactory(self) -> None:
        self.states.append("stopped")

    def buildProtocol(self, address: Any) -> Any:
        self.addresses.append(address)
        self.built.append(super().buildProtocol(address))
        return self.built[-1]


class Calling(Serving, ClientFactory):
    """The same for the side that connects."""

    def startedConnecting(self, connector: Any) -> None:
        self.states.append("connecting")

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.states.append(f"failed: {reason.type.__name__ if reason.type else ''}")

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.states.append(f"lost: {reason.type.__name__ if reason.type else ''}")


class Producer:
    """Writes down what a transport asks of it; a pull producer writes C{pieces}."""

    def __init__(self, pieces: int = 0) -> None:
        self.calls: list[str] = []
        self.pieces = pieces
        self.consumer: Any = None

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")
        if self.pieces:
            self.pieces -= 1
            self.consumer.write(b"x" * MAX_MESSAGE)
            if not self.pieces:
                self.consumer.unregisterProducer()

    def stopProducing(self) -> None:
        self.calls.append("stop")


class OneToOneCase(SynchronousTestCase):
    """A server and a client host."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock)
        self.here = self.network.stack("10.0.0.1", registrar=True)
        self.there = self.network.stack("10.0.0.2")
        self.peer = TransportAddress(("10.0.0.1",), 3863)

    def run_for(self, seconds: float = 0.5) -> None:
        end = self.clock.seconds() + seconds
        while self.clock.getDelayedCalls() and self.clock.getDelayedCalls()[0].getTime() <= end:
            self.clock.advance(max(0.0, self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds()))
        self.clock.advance(end - self.clock.seconds())

    def pair(self, serving: Any = Messages, calling: Any = Messages) -> tuple[Any, Any]:
        """The two protocols of one association: client, server."""
        server, client = Serving(serving), Calling(calling)
        self.port = listenSCTP(self.clock, 3863, server, stack=self.here)
        self.connector = connectSCTP(self.clock, self.peer, client, stack=self.there)
        self.run_for()
        self.serving, self.calling = server, client
        return client.built[0], server.built[0]
