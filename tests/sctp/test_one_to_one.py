"""A protocol for each association, in Twisted's manner, over the stack in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    NotConnectingError,
    TimeoutError,
)
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.core import TransportAddress
from rserpool.sctp import ISctpAssociation, ISctpProtocol, SctpProtocol, connectSCTP, listenSCTP
from rserpool.sctp.base import MAX_MESSAGE, PPID_ASAP, SEND_LIMIT
from rserpool.sctp.memory import Network
from rserpool.sctp.one_to_one.connector import SctpConnector
from rserpool.sctp.one_to_one.ports import SctpPort
from rserpool.sctp.one_to_one.transport import SctpAddress


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


class MessageTests(OneToOneCase):
    """Protocols that provide ISctpProtocol."""

    def test_exchange(self) -> None:
        """Each end has a protocol with an association for its transport, and gets whole messages."""
        client, server = self.pair()
        self.assertEqual((1, 1), (client.made, server.made))
        verifyObject(ISctpProtocol, client)
        verifyObject(ISctpAssociation, client.transport)
        verifyObject(IListeningPort, self.port)
        verifyObject(IConnector, self.connector)
        client.transport.send(b"a", PPID_ASAP, 3, True)
        client.transport.send(b"b")
        server.transport.write(b"c")
        self.run_for()
        self.assertEqual([(b"a", PPID_ASAP, 3, True), (b"b", 0, 0, False)], server.received)
        self.assertEqual([(b"c", 0, 0, False)], client.received)
        self.assertIs(self.serving, server.factory)

    def test_addresses(self) -> None:
        """getPeer, getHost and buildProtocol's argument are addresses."""
        client, server = self.pair()
        here = SctpAddress(("10.0.0.1",), 3863, self.here.encapsulation_port)
        there = SctpAddress(("10.0.0.2",), 32768, self.there.encapsulation_port)
        verifyObject(IAddress, here)
        self.assertEqual(("10.0.0.1", "SCTP"), (here.host, here.type))
        self.assertEqual(([there], here), (self.serving.addresses, self.port.getHost()))
        self.assertEqual((here, there), (server.transport.getHost(), server.transport.getPeer()))
        self.assertEqual(there, client.transport.getHost())
        self.assertEqual(SctpAddress(("10.0.0.1",), 3863), client.transport.getPeer())
        self.assertEqual(SctpAddress(("10.0.0.1",), 3863), self.connector.getDestination())

    def test_graceful_end(self) -> None:
        """loseConnection delivers and closes; factories hear of it in order."""
        client, server = self.pair()
        client.transport.send(b"last")
        client.transport.loseConnection()
        self.run_for()
        self.assertEqual(([b"last"], [ConnectionDone]), ([m[0] for m in server.received], server.lost))
        self.assertEqual([ConnectionDone], client.lost)
        self.assertEqual(["started", "connecting", "lost: ConnectionDone", "stopped"], self.calling.states)
        self.assertEqual({}, self.there.endpoints)

    def test_abort(self) -> None:
        """abortConnection aborts; what was not delivered is reported."""
        client, server = self.pair()
        client.transport.send(b"never", PPID_ASAP)
        client.transport.abortConnection()
        self.run_for()
        self.assertEqual(([(b"never", PPID_ASAP)], [ConnectionAborted]), (client.failed, client.lost))
        self.assertEqual(([], [ConnectionLost]), (server.received, server.lost))

    def test_refused(self) -> None:
        """Nobody listens: clientConnectionFailed, and no protocol was built."""
        calling = Calling()
        connectSCTP(self.clock, self.peer, calling, stack=self.there)
        self.run_for()
        self.assertEqual(["started", "connecting", "failed: ConnectionRefusedError", "stopped"], calling.states)
        self.assertEqual([], calling.built)

    def test_timeout(self) -> None:
        """A set-up that takes too long fails with TimeoutError."""
        self.network.setup_timeout = 1000.0
        self.network.silence(self.here)
        calling = Calling()
        connectSCTP(self.clock, self.peer, calling, 5.0, stack=self.there)
        self.run_for(4.9)
        self.assertEqual(["started", "connecting"], calling.states)
        self.run_for()
        self.assertEqual([f"failed: {TimeoutError.__name__}", "stopped"], calling.states[2:])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_connecting(self) -> None:
        """A connect can be given up; a connector that does nothing cannot."""
        calling = Calling()
        connector = connectSCTP(self.clock, self.peer, calling, stack=self.there)
        connector.stopConnecting()
        self.run_for()
        self.assertEqual([f"failed: {ConnectionAborted.__name__}", "stopped"], calling.states[2:])
        self.assertRaises(NotConnectingError, connector.stopConnecting)

    def test_disconnect_and_connect_again(self) -> None:
        """A connector can connect again, also inside clientConnectionLost."""
        self.pair()
        self.assertRaises(RuntimeError, self.connector.connect)
        self.assertRaises(NotConnectingError, self.connector.stopConnecting)
        self.patch(self.calling, "clientConnectionLost", lambda connector, reason: connector.connect())
        self.connector.disconnect()
        self.run_for()
        self.assertEqual((2, 2), (len(self.calling.built), len(self.serving.built)))
        self.assertEqual(["started", "connecting", "connecting"], self.calling.states)

    def test_stop_listening(self) -> None:
        """stopListening frees the port, after its associations were shut down."""
        client, server = self.pair()
        stopped = self.port.stopListening()
        again = self.port.stopListening()
        self.assertNoResult(stopped)
        self.run_for()
        self.successResultOf(stopped)
        self.successResultOf(again)
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (client.lost, server.lost))
        self.assertEqual(["started", "stopped"], self.serving.states)
        self.port.startListening()
        self.assertEqual(3863, self.port.getHost().port)

    def test_port_busy(self) -> None:
        """A port that is taken: CannotListenError at once."""
        self.pair()
        self.assertRaises(CannotListenError, listenSCTP, self.clock, 3863, Serving(), stack=self.here)

    def test_no_protocol(self) -> None:
        """A factory that builds none refuses the association."""
        factory = Serving()
        self.patch(factory, "buildProtocol", lambda address: None)
        listenSCTP(self.clock, 3863, factory, stack=self.here)
        calling = Calling()
        connectSCTP(self.clock, self.peer, calling, stack=self.there)
        self.run_for()
        self.assertEqual("stopped", calling.states[-1])
        self.assertEqual(0, self.port_associations())

    def test_protocol_that_raises(self) -> None:
        """Where buildProtocol or connectionMade fails the association is aborted; others live."""

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        client, server = self.pair()
        self.patch(Messages, "connectionMade", fail)
        for _ in range(2):
            second = Calling()
            connectSCTP(self.clock, self.peer, second, stack=self.there)
            self.run_for()
            self.assertEqual("stopped", second.states[-1])
            self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
            self.patch(self.serving, "buildProtocol", fail)
        client.transport.send(b"alive")
        self.run_for()
        self.assertEqual(1, len(server.received))

    def port_associations(self) -> int:
        return sum(endpoint.associations for endpoint in self.here.endpoints.values())

    def test_push_producer(self) -> None:
        """A push producer is paused while the association takes no more, and stopped when it is lost."""
        client, server = self.pair()
        producer = Producer()
        client.transport.registerProducer(producer, True)
        self.assertRaises(RuntimeError, client.transport.registerProducer, producer, True)
        while not producer.calls:
            client.transport.write(b"x" * MAX_MESSAGE)
        self.assertEqual(["pause"], producer.calls)
        self.assertGreater(client.transport.buffered, 0)
        self.run_for()
        self.assertEqual(["pause", "resume"], producer.calls)
        server.transport.abort()
        self.run_for()
        self.assertEqual(["pause", "resume", "stop"], producer.calls)
        client.transport.unregisterProducer()
        client.transport.registerProducer(late := Producer(), True)
        self.assertEqual(["stop"], late.calls)

    def test_registered_while_paused(self) -> None:
        """A push producer that comes while the association is full is paused at once."""
        client, _ = self.pair()
        for _ in range(10):
            client.transport.write(b"x" * MAX_MESSAGE)
        client.transport.registerProducer(producer := Producer(), True)
        self.assertEqual(["pause"], producer.calls)

    def test_pull_producer(self) -> None:
        """A pull producer is asked until it has ended, but not while the association is full; then it closes."""
        client, server = self.pair()
        producer = Producer(30)
        producer.consumer = client.transport
        client.transport.registerProducer(producer, False)
        client.transport.loseConnection()
        self.assertEqual(30, producer.pieces)
        self.clock.advance(0)
        self.assertGreater(producer.pieces, 20)
        self.run_for()
        self.assertEqual((30, [ConnectionDone]), (len(server.received), server.lost))
        self.assertEqual(["resume"] * 30, producer.calls)


class StreamTests(OneToOneCase):
    """Ordinary protocols."""

    def test_stream(self) -> None:
        """Each message is a piece of a stream; what is written goes out in messages of at most 64 KiB."""
        client, server = self.pair(serving=Bytes)
        client.transport.send(b"in two ")
        client.transport.send(b"messages", PPID_ASAP, 1)
        data = bytes(range(256)) * 700
        server.transport.writeSequence([data, b"", b"end"])
        server.transport.write(b"")
        self.run_for()
        self.assertEqual([b"in two ", b"messages"], server.received)
        self.assertEqual(data + b"end", b"".join(message[0] for message in client.received))
        self.assertEqual([MAX_MESSAGE, MAX_MESSAGE], [len(message[0]) for message in client.received[:2]])
        self.assertEqual("SCTP", server.transport.getPeer().type)
        self.assertEqual(3863, server.transport.getHost().port)

    def test_ends(self) -> None:
        """loseConnection delivers, abortConnection does not."""
        client, server = self.pair(Bytes, Bytes)
        self.assertFalse(server.transport.disconnecting)
        server.transport.write(b"x" * 1000000)
        server.transport.loseConnection()
        self.assertTrue(server.transport.disconnecting)
        self.run_for()
        self.assertEqual((1000000, [ConnectionDone]), (sum(map(len, client.received)), client.lost))
        connectSCTP(self.clock, self.peer, calling := Calling(Bytes), stack=self.there)
        self.run_for()
        calling.built[0].transport.abortConnection()
        self.run_for()
        self.assertEqual([ConnectionLost], self.serving.built[1].lost)

    def test_paused_reader(self) -> None:
        """A protocol that pauses its transport gets nothing until it resumes, then all of it, then the end."""
        client, server = self.pair(Bytes, Bytes)
        client.transport.pauseProducing()
        for piece in (b"1", b"2", b"3"):
            server.transport.write(piece)
        server.transport.loseConnection()
        self.run_for()
        self.assertEqual(([], []), (client.received, client.lost))
        client.transport.resumeProducing()
        self.assertEqual(([b"1", b"2", b"3"], [ConnectionDone]), (client.received, client.lost))

    def test_paused_for_ever(self) -> None:
        """What waits for a protocol that reads nothing is bounded."""
        client, server = self.pair(Bytes, Bytes)
        client.transport.pauseProducing()
        for _ in range(SEND_LIMIT // MAX_MESSAGE + 1):
            server.transport.write(b"x" * MAX_MESSAGE)
            self.run_for(0.001)
        self.run_for()
        self.assertEqual(([], [ConnectionAborted]), (client.received, client.lost))

    def test_raises(self) -> None:
        """A protocol that raises in dataReceived loses its connection, as over TCP."""
        client, server = self.pair(Bytes, Bytes)

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        server.dataReceived = fail
        client.transport.write(b"x")
        self.run_for()
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (server.lost, client.lost))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_producer(self) -> None:
        """Producers are registered with the association."""
        client, server = self.pair(Bytes, Bytes)
        producer = Producer(30)
        producer.consumer = server.transport
        server.transport.registerProducer(producer, False)
        self.run_for()
        self.assertEqual((30 * MAX_MESSAGE, 0), (sum(map(len, client.received)), producer.pieces))
        client.transport.stopProducing()
        self.run_for()
        self.assertEqual([ConnectionDone], server.lost)


class ReprTests(OneToOneCase):
    """What people see in logs."""

    def test_repr(self) -> None:
        """Each object says what it is."""
        client, _ = self.pair()
        self.assertIsInstance(self.connector, SctpConnector)
        self.assertIsInstance(self.port, SctpPort)
        self.assertIn("3863", repr(self.port))
        self.assertIn("10.0.0.1:3863", repr(client.transport))
