"""TCP in memory: what protocols see of connections that are opened, closed, reset, cut and killed."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NotConnectingError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IReactorTCP, IReactorTime, ITCPTransport
from twisted.internet.task import Clock
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.core import TransportAddress
from rserpool.testing import Scope, UserProcess
from tests.testing.talkers import Connecting, File, HalfTalker, Producer, Server, Talker

_NOWHERE = TransportAddress(("10.0.0.1",), 3863, protocol="tcp")


class TcpTests(SynchronousTestCase):
    """Two processes on hosts of their own, and no registrar."""

    def setUp(self) -> None:
        self.scope = Scope(0, clock=Clock())
        self.addCleanup(self.scope.stop)
        self.a: UserProcess = self.scope.user(transport="tcp", registrars=[_NOWHERE])
        self.b: UserProcess = self.scope.user(transport="tcp", registrars=[_NOWHERE])
        self.server = Server()

    def listen(self, port: int = 80, **options: Any) -> Any:
        return self.b.reactor.listenTCP(port, self.server, **options)

    def dial(self, timeout: float = 30, kind: type[Talker] | None = Talker) -> tuple[Connecting, Any]:
        factory = Connecting(kind)
        return factory, self.a.reactor.connectTCP(self.b.host, 80, factory, timeout)

    def connected(self, kind: type[Talker] = Talker) -> tuple[Any, Any]:
        """Both ends of a connection."""
        self.listen()
        factory, _ = self.dial(kind=kind)
        self.scope.until(lambda: factory.client is not None and self.server.protocols)
        self.factory = factory
        return factory.client, self.server.protocols[0]

    def test_interfaces(self) -> None:
        """They are what Twisted's are."""
        client, server = self.connected()
        verifyObject(IReactorTime, self.a.reactor)
        verifyObject(IReactorTCP, self.a.reactor)
        for end in (client.transport, server.transport):
            verifyObject(ITCPTransport, end)
            end.setTcpNoDelay(True)
            end.setTcpKeepAlive(True)
            self.assertFalse(end.getTcpNoDelay() or end.getTcpKeepAlive())
        self.assertEqual((self.b.host, 80), (client.transport.getPeer().host, client.transport.getPeer().port))
        self.assertEqual(client.transport.getHost(), server.transport.getPeer())
        self.assertIn(self.b.host, repr(client.transport))

    def test_both_ways(self) -> None:
        """Everything arrives, in order; then the end."""
        client, server = self.connected()
        data = bytes(range(256)) * 1000
        client.transport.write(data)
        client.transport.loseConnection()
        server.transport.writeSequence([b"a", b"b"])
        self.scope.until(lambda: server.lost)
        client.transport.write(b"late")
        self.assertEqual(data, server.received)
        self.assertTrue(server.lost.check(ConnectionDone))
        self.scope.until(lambda: client.lost)
        self.assertTrue(client.lost.check(ConnectionDone))
        self.assertTrue(self.factory.lost.check(ConnectionDone))
        with self.assertRaises(TypeError):
            client.transport.write("text")

    def test_abort(self) -> None:
        """A reset."""
        client, server = self.connected()
        client.transport.write(b"lost")
        client.transport.abortConnection()
        self.scope.until(lambda: server.lost and client.lost)
        self.assertTrue(client.lost.check(ConnectionAborted))
        self.assertTrue(server.lost.check(ConnectionLost))

    def test_exception(self) -> None:
        """A protocol that fails loses its connection."""
        client, server = self.connected()
        client.transport.write(b"fail")
        self.scope.until(lambda: server.lost and client.lost)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_half_close(self) -> None:
        """One end stops writing, and hears the rest."""
        self.server = Server(HalfTalker)
        client, server = self.connected()
        client.transport.write(b"question")
        client.transport.loseWriteConnection()
        self.scope.until(lambda: client.lost)
        self.assertEqual((b"question", b"the rest"), (server.received, client.received))

    def test_reader_that_pauses(self) -> None:
        """A window is on the way, the rest waits at the sender, whose producer is paused meanwhile."""
        client, server = self.connected()
        server.transport.pauseProducing()
        self.scope.advance(0.1)
        data = bytes(1_000_000)
        sent = FileSender().beginFileTransfer(File(data), client.transport)
        self.scope.advance(1.0)
        self.assertEqual(b"", server.received)
        self.assertNoResult(sent)
        server.transport.resumeProducing()
        self.scope.until(lambda: len(server.received) == len(data))
        self.successResultOf(sent)

    def test_push_producer(self) -> None:
        """It is paused while too much waits, and stopped with the connection."""
        client, server = self.connected()
        producer = Producer(client.transport)
        client.transport.registerProducer(producer, True)
        with self.assertRaises(RuntimeError):
            client.transport.registerProducer(producer, True)
        server.transport.pauseProducing()
        producer.produce()
        self.assertTrue(producer.paused)
        server.transport.resumeProducing()
        self.scope.until(lambda: not producer.paused)
        server.transport.abortConnection()
        self.scope.until(lambda: producer.stopped)
        late = Producer(client.transport)
        client.transport.registerProducer(late, True)
        self.assertTrue(late.stopped)

    def test_refused(self) -> None:
        """Nobody listens; or the process is dead; or the factory wants nobody."""

        def nobody_wanted() -> None:
            self.server.kind = None
            self.listen()

        for prepare in (lambda: None, lambda: self.listen().stopListening(), nobody_wanted, self.b.kill):
            prepare()
            factory, _ = self.dial()
            self.scope.until(lambda factory=factory: factory.failed)  # type: ignore[misc]
            assert factory.failed is not None
            self.assertTrue(factory.failed.check(ConnectionRefusedError))

    def test_no_answer(self) -> None:
        """A host that does not exist or is silent: the connect times out; it can be given up before."""
        factory = Connecting()
        self.a.reactor.connectTCP("10.9.9.9", 80, factory, 3)
        self.scope.until(lambda: factory.failed, 4.0)
        assert factory.failed is not None
        self.assertTrue(factory.failed.check(TimeoutError))
        self.listen()
        self.scope.silence(self.b)
        factory, connector = self.dial()
        self.assertIn(self.b.host, str(connector.getDestination()))
        with self.assertRaises(RuntimeError):
            connector.connect()
        self.scope.advance(1.0)
        self.assertIs(None, factory.failed)
        connector.disconnect()
        assert factory.failed is not None
        self.assertTrue(factory.failed.check(UserError))
        with self.assertRaises(NotConnectingError):
            connector.stopConnecting()

    def test_give_up_late(self) -> None:
        """Whoever gives up when the server has accepted already resets the connection."""
        self.listen()
        factory, connector = self.dial()
        self.scope.until(lambda: self.server.protocols)
        connector.stopConnecting()
        self.scope.until(lambda: self.server.protocols[0].lost)
        self.assertIs(None, factory.client)

    def test_no_protocol(self) -> None:
        """A client factory that builds nothing."""
        self.listen()
        factory, _ = self.dial(kind=None)
        self.scope.until(lambda: factory.lost)

    def test_kill(self) -> None:
        """The system of a killed process closes its connections; those with unread data it resets."""
        client, server = self.connected()
        server.transport.write(b"last words")
        self.b.kill()
        self.scope.until(lambda: client.lost)
        self.assertEqual(b"last words", client.received)
        self.assertTrue(client.lost.check(ConnectionDone))
        self.assertIs(None, server.lost)
        self.b.start()
        self.server = Server()
        client, server = self.connected()
        server.transport.pauseProducing()
        client.transport.write(b"unread")
        self.scope.advance(0.1)
        self.b.kill()
        self.scope.until(lambda: client.lost)
        self.assertTrue(client.lost.check(ConnectionLost))

    def test_silence(self) -> None:
        """A connection outlives a partition, and what was sent arrives; a new process at the host resets it."""
        client, server = self.connected()
        self.scope.partition([self.a], [self.b])
        client.transport.write(b"later")
        self.scope.advance(1000.0)
        self.assertEqual((None, b""), (client.lost, server.received))
        self.scope.heal()
        self.scope.until(lambda: server.received == b"later")
        self.scope.silence(self.b)
        self.b.restart()
        self.scope.advance(10.0)
        self.assertIs(None, client.lost)
        client.transport.write(b"who are you")
        self.scope.until(lambda: client.lost)
        self.assertTrue(client.lost.check(ConnectionLost))

    def test_ports(self) -> None:
        """Ports are taken once; interfaces count; closing one leaves its connections."""
        port = self.listen()
        for host, wanted in (("", 80), ("10.0.0.99", 81)):
            with self.assertRaises(CannotListenError):
                self.b.reactor.listenTCP(wanted, self.server, interface=host)
        other = self.b.reactor.listenTCP(0, Server(), interface=self.b.host)
        self.assertEqual((self.b.host, True), (other.getHost().host, other.getHost().port > 1023))
        self.assertEqual([port, other], self.b.reactor.getReaders())
        self.assertLess(port.fileno(), other.fileno())
        factory, connector = self.dial()
        self.scope.until(lambda: factory.client)
        port.stopListening()
        factory.client.transport.write(b"still")
        self.scope.until(lambda: self.server.protocols[0].received == b"still")
        self.assertEqual(2, len(self.b.reactor.getReaders()))
        connector.disconnect()
        self.scope.until(lambda: self.server.protocols[0].lost)
        self.assertEqual([other], self.b.reactor.getReaders())
        self.listen()
        connector.connect()
        self.scope.until(lambda: len(self.server.protocols) == 2)

    def test_timers_die(self) -> None:
        """Nothing is called in a process that was killed."""
        called: list[str] = []
        for function in (self.a.reactor.callWhenRunning, self.a.reactor.callFromThread):
            function(called.append, "soon")
        self.a.reactor.callLater(1.0, called.append, "late")
        self.scope.advance(0.5)
        self.a.kill()
        self.scope.advance(1.0)
        self.assertEqual(["soon", "soon"], called)
        self.assertEqual([], self.a.reactor.getWriters())
