"""Ordinary Twisted protocols over sessions."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SessionEnded
from rserpool.session import SessionClientEndpoint, stream_sessions
from tests.session.scope import SessionCase


class Lines(LineReceiver):
    """A client; C{lines} came, C{lost} is why it is over."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.lost: list[Any] = []

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.append(reason.type)


class Steady(Lines):
    """One that goes on after a failover."""

    def __init__(self) -> None:
        super().__init__()
        self.failovers = 0

    def failedOver(self, old: Any, new: Any) -> None:
        self.failovers += 1
        self.sendLine(b"again")


class Welcome(Protocol):
    """A server that speaks first."""

    def connectionMade(self) -> None:
        self.transport.write(b"welcome\r\n")  # type: ignore[union-attr]


class Producer:
    """A push producer."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")


class Both(SessionCase):
    """What is so over both transports."""

    def serve(self: Any, name: str, protocol: Any = Echo) -> None:
        self.scope.serve(name, factory=stream_sessions(Factory.forProtocol(protocol)))

    def connect(self: Any, protocol: Any = Lines, **options: Any) -> Any:
        user = self.scope.user().service
        endpoint = SessionClientEndpoint(user, "pool", **options)
        self.assertEqual("<SessionClientEndpoint to pool 'pool'>", repr(endpoint))
        return self.scope.result(endpoint.connect(Factory.forProtocol(protocol)))

    def test_to_and_fro(self: Any) -> None:
        """Of any length."""
        self.serve("a")
        client = self.connect()
        client.MAX_LENGTH = 10**6
        client.sendLine(b"hello")
        client.sendLine(bytes(200_000))
        self.scope.until(lambda: len(client.lines) == 2)
        self.assertEqual(client.lines, [b"hello", bytes(200_000)])
        client.transport.loseConnection()
        self.scope.until(lambda: client.lost)
        self.assertEqual(client.lost, [ConnectionDone])

    def test_a_server_that_speaks_first(self: Any) -> None:
        self.serve("a", Welcome)
        client = self.connect()
        self.scope.until(lambda: client.lines)
        self.assertEqual(client.lines, [b"welcome"])
        client.transport.abortConnection()
        self.assertEqual(client.lost, [ConnectionAborted])

    def test_a_failover_is_a_loss(self: Any) -> None:
        """To a protocol that knows nothing of failovers."""
        self.serve("a")
        self.serve("b")
        client = self.connect()
        self.scope.advance(0.1)
        self.scope.kill_serving(client.transport.session)
        self.scope.until(lambda: client.lost)
        self.assertEqual(client.lost, [ConnectionLost])
        self.scope.advance(0.5)
        self.assertEqual(sum(len(factory.sessions) for name, factory in self.scope.factories.items()), 1)

    def test_a_protocol_that_knows_of_failovers_goes_on(self: Any) -> None:
        self.serve("a")
        self.serve("b")
        client = self.connect(Steady)
        self.scope.kill_serving(client.transport.session)
        self.scope.until(lambda: client.lines)
        self.assertEqual((client.lines, client.failovers, client.lost), ([b"again"], 1, []))

    def test_the_end_of_a_session(self: Any) -> None:
        self.serve("a")
        client = self.connect(patience=1.0)
        self.scope.dies("a")
        self.scope.until(lambda: client.lost)
        self.assertEqual(client.lost, [ConnectionLost])

    def test_no_such_pool(self: Any) -> None:
        with self.assertRaises(SessionEnded):
            self.connect()

    def test_backpressure(self: Any) -> None:
        """A producer is paused and resumed; a reader that pauses gets nothing meanwhile."""
        self.serve("a")
        client = self.connect()
        client.MAX_LENGTH = 10**7
        producer = Producer()
        client.transport.registerProducer(producer, True)
        self.assertRaises(RuntimeError, client.transport.registerProducer, producer, True)
        client.transport.pauseProducing()
        client.sendLine(bytes(600_000))
        self.scope.advance(1.0)
        self.assertEqual(client.lines, [])
        client.transport.resumeProducing()
        self.scope.until(lambda: client.lines)
        self.assertEqual(len(client.lines[0]), 600_000)
        self.assertEqual(producer.events[:2], ["pause", "resume"])
        client.transport.unregisterProducer()


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"
