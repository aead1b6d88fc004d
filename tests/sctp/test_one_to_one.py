"""A protocol for each association, in Twisted's manner, over the stack in memory."""

from __future__ import annotations

from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    NotConnectingError,
    TimeoutError,
)
from twisted.internet.interfaces import IAddress, IConnector, IListeningPort
from zope.interface.verify import verifyObject

from rserpool.sctp import ISctpAssociation, ISctpProtocol, connectSCTP, listenSCTP
from rserpool.sctp.base import MAX_MESSAGE, PPID_ASAP
from rserpool.sctp.one_to_one import ports
from rserpool.sctp.one_to_one.connector import SctpConnector
from rserpool.sctp.one_to_one.ports import SctpPort
from rserpool.sctp.one_to_one.transport import SctpAddress
from tests.sctp.one_to_one import Bytes, Calling, Messages, OneToOneCase, Producer, Serving


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


class ReprTests(OneToOneCase):
    """What people see in logs."""

    def test_repr(self) -> None:
        """Each object says what it is."""
        client, _ = self.pair()
        self.assertIsInstance(self.connector, SctpConnector)
        self.assertIsInstance(self.port, SctpPort)
        self.assertIn("3863", repr(self.port))
        self.assertIn("10.0.0.1:3863", repr(client.transport))


class CrowdTests(OneToOneCase):
    """Associations with a port that say nothing."""

    def test_of_one_machine(self) -> None:
        """So many of one machine are kept; who comes beyond that is refused."""
        self.patch(ports, "MOST_OF_ONE", 5)
        self.pair()
        for _ in range(20):
            connectSCTP(self.clock, self.peer, Calling(Bytes), stack=self.there)
        self.run_for(0.5)
        self.assertEqual(sum(not each.lost for each in self.serving.built), 5)
