"""ASAP over TCP looks like an association, and takes no harm from what is not ASAP (RFC 5352 section 2.1)."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.testing import EventLoggingObserver, StringTransport
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from rserpool.core import TransportAddress
from rserpool.node.listening import listen_tcp
from rserpool.node.tcp import AsapTcpProtocol, Make, connect_tcp
from rserpool.sctp import ISctpAssociation
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, PPID_ASAP, SEND_LIMIT
from tests.sctp.harness import Recorder, SctpHarness


def message(size: int, kind: int = 5) -> bytes:
    """A message of this length, padded as senders do it."""
    return bytes((kind, 0)) + size.to_bytes(2, "big") + bytes(size - 4 + -size % 4)


class TcpTests(SctpHarness, TestCase):
    """Over the loopback interface."""

    def make(self) -> Make:
        """What makes connections."""
        return AsapTcpProtocol

    def listen(self, host: str = "127.0.0.1") -> tuple[TransportAddress, Recorder, Any]:
        recorder = self.recorder()
        port: Any = listen_tcp(reactor, host, 0, recorder, make=self.make())
        self.addCleanup(port.stopListening)
        return TransportAddress((host,), port.getHost().port, protocol="tcp"), recorder, port

    def connect(self, peer: TransportAddress) -> tuple[AsapTcpProtocol, Recorder]:
        recorder = self.recorder()
        association = connect_tcp(reactor, peer, recorder, make=self.make())
        self.addCleanup(association.abort)
        return association, recorder

    async def pair(self, host: str = "127.0.0.1") -> tuple[Any, Recorder, Any, Recorder]:
        peer, accepting, _ = self.listen(host)
        association, connecting = self.connect(peer)
        await self.until(lambda: bool(connecting.up and accepting.up))
        # Whoever lost both ends is done with the sockets.
        self.addCleanup(self.until_coroutine, lambda: bool(connecting.lost and accepting.lost))
        self.addCleanup(association.abort)
        return association, connecting, accepting.up[0], accepting

    async def until_coroutine(self, condition: Any) -> None:
        await self.until(condition)

    async def test_face_of_an_association(self) -> None:
        """Both ends show an association: addresses, direction, whether it is up."""
        association, _, accepted, _ = await self.pair()
        for end in (association, accepted):
            verifyObject(ISctpAssociation, end)
            self.assertEqual((("127.0.0.1",), ("127.0.0.1",)), (end.peer_addresses, end.local_addresses))
            self.assertEqual((True, 0, "tcp"), (end.established, end.buffered, end.peer.protocol))
        self.assertEqual((True, False), (association.outbound, accepted.outbound))
        self.assertEqual(association.transport.getHost().port, accepted.peer.port)

    async def test_messages(self) -> None:
        """Messages arrive whole, with their padding, both ways; a sender's missing padding is made up for."""
        association, connecting, accepted, accepting = await self.pair()
        messages = [message(size) for size in (4, 5, 6, 7, 8, 1000, 65533, 65535)]
        for each in messages:
            association.send(each, PPID_ASAP)
            accepted.send(each[: int.from_bytes(each[2:4], "big")])
        await self.until(lambda: len(accepting.received) == len(connecting.received) == len(messages))
        self.assertEqual([(each, PPID_ASAP, 0, False) for each in messages], accepting.received)
        self.assertEqual(messages, connecting.data)

    async def test_ipv6(self) -> None:
        """The same over IPv6."""
        association, _, accepted, accepting = await self.pair("::1")
        association.send(message(8))
        await self.until(lambda: bool(accepting.received))
        self.assertEqual(("::1",), accepted.peer.hosts)

    async def test_sent_before_up(self) -> None:
        """What is sent before the connection is up comes first; no callback comes during connect."""
        peer, accepting, _ = self.listen()
        association, connecting = self.connect(peer)
        association.send(message(8, 1))
        connecting.on_up = lambda association: association.send(message(8, 2))
        self.assertEqual((True, 8), (connecting.silent, association.buffered))
        await self.until(lambda: len(accepting.received) == 2)
        self.assertEqual([message(8, 1), message(8, 2)], accepting.data)
        association.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))

    async def test_close_delivers(self) -> None:
        """close delivers what was sent; both ends hear ConnectionDone, and later calls do nothing."""
        association, connecting, _, accepting = await self.pair()
        for _ in range(60):
            association.send(message(65000))
        association.close()
        association.send(message(8))
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual(60, len(accepting.received))
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (connecting.reasons, accepting.reasons))
        association.send(message(8))
        association.close()
        association.abort()

    async def test_abort(self) -> None:
        """abort: ConnectionAborted here, ConnectionLost there, and not before abort has returned."""
        association, connecting, _, accepting = await self.pair()
        association.abort()
        self.assertEqual(([], False), (connecting.lost, association.established))
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (connecting.reasons, accepting.reasons))

    async def test_abort_before_up(self) -> None:
        """An attempt can be given up; what waited is reported."""
        peer, accepting, _ = self.listen()
        association, connecting = self.connect(peer)
        association.send(message(8))
        association.abort()
        association.abort()
        self.assertTrue(connecting.silent)
        await self.until(lambda: bool(connecting.lost))
        self.assertEqual(([ConnectionAborted], [(message(8), PPID_ASAP)]), (connecting.reasons, connecting.failed))
        again, connecting = self.connect(peer)
        await self.until(lambda: bool(connecting.up))
        again.abort()
        await self.until(lambda: bool(connecting.lost and len(accepting.lost) == len(accepting.up)))

    async def test_refused(self) -> None:
        """Nobody listens: ConnectionRefusedError, once all addresses were tried."""
        peer, _, port = self.listen()
        await port.stopListening()
        _, connecting = self.connect(TransportAddress(("127.0.0.1", "127.0.0.2"), peer.port, protocol="tcp"))
        self.assertTrue(connecting.silent)
        await self.until(lambda: bool(connecting.lost))
        self.assertEqual([ConnectionRefusedError], connecting.reasons)

    async def test_second_address(self) -> None:
        """Where the first address refuses, the next is tried."""
        peer, accepting, _ = self.listen("127.0.0.2")
        association, connecting = self.connect(TransportAddress(("127.0.0.1", *peer.hosts), peer.port, protocol="tcp"))
        await self.until(lambda: bool(connecting.up))
        self.assertEqual((2, ("127.0.0.2",)), (len(association.peer.hosts), association.peer_addresses))
        association.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))

    async def test_port_closed(self) -> None:
        """With the port its connections are closed."""
        _, connecting, _, accepting = await self.pair()
        peer, others, port = self.listen()
        _, mine = self.connect(peer)
        await self.until(lambda: bool(others.up and mine.up))
        await port.stopListening()
        await self.until(lambda: bool(others.lost and mine.lost))
        self.assertEqual(([ConnectionDone], [], []), (mine.reasons, connecting.lost, accepting.lost))

    async def test_port_busy(self) -> None:
        """A port that is taken: CannotListenError."""
        peer, _, _ = self.listen()
        self.assertRaises(CannotListenError, listen_tcp, reactor, "127.0.0.1", peer.port, self.recorder())

    async def test_paused_and_resumed(self) -> None:
        """A sender that is faster than TCP is paused, and resumed; nothing is lost."""
        association, connecting, _, accepting = await self.pair()
        count = 0
        while not connecting.pressure:
            association.send(message(65532))
            count += 1
        self.assertGreater(association.buffered, HIGH_WATER)
        await self.until(lambda: len(accepting.received) == count and len(connecting.pressure) == 2)
        self.assertEqual((["paused", "resumed"], 0), (connecting.pressure, association.buffered))

    async def test_order(self) -> None:
        """Messages arrive in their order, whether the socket took them, the transport, or they waited here."""
        association, _, _, accepting = await self.pair()
        sizes = [4 + (number * 7919) % 65500 for number in range(300)]
        for size in sizes[:200]:
            association.send(message(size))
        self.assertGreater(association.buffered, 0)
        await self.until(lambda: not association.buffered)
        for size in sizes[200:]:
            association.send(message(size))
        await self.until(lambda: len(accepting.received) == len(sizes))
        self.assertEqual(list(map(message, sizes)), accepting.data)

    async def test_close_inside(self) -> None:
        """What was sent before close is called arrives, also where both come of one piece."""
        association, connecting, _, accepting = await self.pair()

        def answer(association: Any, data: bytes) -> None:
            association.send(data)
            if data == message(7):
                association.close()

        accepting.on_message = answer
        for size in (6, 7, 8):
            association.send(message(size))
        await self.until(lambda: bool(connecting.lost))
        self.assertEqual([message(6), message(7)], connecting.data)

    async def test_reset(self) -> None:
        """A peer that has reset the connection is noticed by who sends, and told once."""
        association, connecting, accepted, accepting = await self.pair()
        accepted.abort()
        await self.until(lambda: bool(accepting.lost))
        association.send(message(8))
        association.send(message(8))
        await self.until(lambda: bool(connecting.lost))
        association.send(message(8))
        self.assertEqual([ConnectionLost], connecting.reasons)

    async def test_send_limit(self) -> None:
        """A peer that reads nothing loses its connection; what it did not get is reported."""
        association, connecting, accepted, accepting = await self.pair()
        accepted.transport.pauseProducing()
        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for _ in range(2 * SEND_LIMIT // 65536):
            association.send(message(65532))
        self.assertFalse(association.established)
        accepted.transport.resumeProducing()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual([ConnectionAborted], connecting.reasons)
        self.assertGreater(len(connecting.failed), SEND_LIMIT // 65536)
        self.assertEqual(1, sum("takes no more" in event["log_format"] for event in observer))


class FramingTests(TestCase):
    """What a connection makes of the bytes that come in."""

    def setUp(self) -> None:
        self.recorder = Recorder(lambda: None)
        self.protocol = AsapTcpProtocol(None, self.recorder, TransportAddress(("192.0.2.1",), 1), outbound=False)
        self.transport = _Transport()
        self.protocol.makeConnection(self.transport)

    def test_byte_by_byte(self) -> None:
        """A message is delivered when its last byte of padding is there."""
        wanted = [message(5), message(4), message(1001)]
        for byte in b"".join(wanted):
            self.protocol.dataReceived(bytes((byte,)))
        self.assertEqual(wanted, self.recorder.data)

    def test_all_at_once(self) -> None:
        """Several messages, and a part of one, may come in one piece."""
        data = message(9) * 50
        self.protocol.dataReceived(data + message(20)[:19])
        self.assertEqual([message(9)] * 50, self.recorder.data)
        self.protocol.dataReceived(message(20)[19:])
        self.assertEqual(message(20), self.recorder.data[-1])

    def test_impossible_length(self) -> None:
        """A Length below 4 drops the connection, with one line in the log; nothing behind it is read."""
        for length in range(4):
            with self.subTest(length=length):
                self.setUp()
                observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
                self.protocol.dataReceived(message(8) + bytes((5, 0, 0, length)) + message(8) * 3)
                self.assertEqual([message(8)], self.recorder.data)
                self.assertTrue(self.transport.aborting)
                self.assertEqual([length], [event["length"] for event in observer if "length" in event])

    def test_abort_inside(self) -> None:
        """A handler that aborts inside messageReceived gets nothing more."""
        self.recorder.on_message = lambda association, data: association.abort()
        self.protocol.dataReceived(message(8) * 3)
        self.assertEqual(1, len(self.recorder.data))

    def test_handler_raises(self) -> None:
        """What the handler raises is logged; the next message is delivered."""

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        self.recorder.on_message = fail
        self.protocol.dataReceived(message(8) * 2)
        self.assertEqual(2, len(self.recorder.data))
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_producer(self) -> None:
        """Between pauseProducing and resumeProducing messages wait here."""
        self.protocol.pauseProducing()
        for _ in range(5):
            self.protocol.send(message(65532))
        self.assertEqual((b"", ["paused"]), (self.transport.value(), self.recorder.pressure))
        self.assertGreater(self.protocol.buffered, LOW_WATER)
        self.protocol.resumeProducing()
        self.assertEqual((5 * 65532, 0), (len(self.transport.value()), self.protocol.buffered))
        self.assertEqual(["paused", "resumed"], self.recorder.pressure)

    def test_close_waits(self) -> None:
        """close waits for what the transport has not taken."""
        self.protocol.pauseProducing()
        self.protocol.send(message(8))
        self.protocol.close()
        self.assertFalse(self.transport.disconnecting)
        self.protocol.resumeProducing()
        self.assertEqual((message(8), True), (self.transport.value(), self.transport.disconnecting))


class _Transport(StringTransport):
    """A StringTransport with the two settings of TCP."""

    aborting = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to do."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to do."""

    def abortConnection(self) -> None:
        self.aborting = True
