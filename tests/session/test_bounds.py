"""What strangers send to the port of a service: neither fills the log nor the memory (RFC 5355 section 2.14)."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.admission import HELLO
from rserpool.core.handles import printable
from rserpool.core.session.successors import Successors
from rserpool.core.wire import asap
from rserpool.core.wire.asap_users import MOST_ON_A_CARD
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.frames import CONTROL, REQUEST, FrameReader, Hello, frame
from rserpool.core.wire.private import REQUEST_FAILED, encode_failure
from rserpool.sctp import outgoing
from rserpool.sctp.log import MOST
from rserpool.session import SessionFactory, SessionProtocol, sctp, server
from rserpool.session.links import MOST_COMPLAINTS, MOST_GARBAGE
from tests.loglines import LogLines
from tests.session.scope import Echo, SessionCase


class Failing(SessionProtocol):
    """Has a mistake."""

    def messageReceived(self, data: bytes) -> None:
        raise ZeroDivisionError


class LogTests(SynchronousTestCase):
    """Sessions over TCP, with as many connections as one likes."""

    def setUp(self) -> None:
        self.factory = SessionFactory(Failing, pool="pool")
        self.log = LogLines(self)

    def session(self, resumed: bool = False) -> Any:
        """A user that has said its hello."""
        link = self.factory.buildProtocol(None)
        link.makeConnection(StringTransport())
        link.dataReceived(Hello(b"pool", resumed).encode())
        return link

    def test_garbage_in_control(self) -> None:
        """Who sends 100 control messages that cannot be understood is cut off, after 10 lines of the log and one."""
        link = self.session()
        for _ in range(MOST_GARBAGE - 1):
            link.dataReceived(frame(CONTROL, b"!"))
        self.assertFalse(link.over)
        link.dataReceived(frame(CONTROL, b"!") * 1000)
        self.assertTrue(link.over)
        self.assertEqual(len(self.log.lines), MOST_COMPLAINTS + 1)

    def test_garbage_of_many(self) -> None:
        """A thousand connections: 20 lines of each kind."""
        for _ in range(1000):
            link = self.session()
            link.dataReceived(frame(CONTROL, b"!") * 10)
            link.dataReceived(b"\xff" * 8)
        self.assertEqual(len(self.log.lines), 2 * MOST)

    def test_no_hello(self) -> None:
        """A thousand connections that speak something else."""
        for _ in range(1000):
            link = self.factory.buildProtocol(None)
            link.makeConnection(StringTransport())
            link.dataReceived(b"GET / HTTP/1.1\r\n")
        self.assertEqual(len(self.log.lines), MOST)

    def test_no_room(self) -> None:
        """Where file descriptors run out, who comes gets the place of one of a machine that has most of them, and one
        line in a while says so."""
        self.patch(server, "descriptors_left", lambda: 10)
        kept = []
        for number in range(1010):
            link = self.factory.buildProtocol(IPv4Address("TCP", "10.6.6.6", number))
            if link is not None:
                link.makeConnection(StringTransport())
                link.dataReceived(Hello(b"pool").encode())
                kept.append(link)
        self.assertEqual(len(kept), 10)
        user: Any = self.factory.buildProtocol(IPv4Address("TCP", "10.0.2.1", 1))
        self.assertIsNotNone(user)
        self.assertEqual([link.over for link in kept], [True] + [False] * 9)
        self.assertIsNone(self.factory.buildProtocol(IPv4Address("TCP", "10.6.6.6", 2)))
        kept[1].connectionLost(Failure(ConnectionDone()))
        self.assertIsNotNone(self.factory.buildProtocol(IPv4Address("TCP", "10.6.6.6", 2)))

    def test_cookies(self) -> None:
        """A thousand cookies that are refused, and a thousand that do not come."""
        for _ in range(1000):
            self.session(True).dataReceived(frame(CONTROL, asap.encode(asap.CookieEcho(b"forged"))))
            self.session(True).dataReceived(frame(REQUEST, b"\0\0\0\1"))
        self.assertEqual(len(self.log.lines), 2 * MOST)

    def test_failing(self) -> None:
        """What makes an application fail is told with 20 tracebacks, not one each time."""
        link = self.session()
        for number in range(1000):
            link.dataReceived(frame(REQUEST, number.to_bytes(4, "big")))
        self.assertEqual(len(self.log.lines), MOST)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), MOST)


class PieceTests(SynchronousTestCase):
    """What comes in pieces of a byte."""

    def test_frames(self) -> None:
        """A frame is whole after its last byte, and what waits for that is one buffer."""
        whole = frame(REQUEST, bytes(range(256)) * 8)
        reader = FrameReader()
        frames = [found for byte in whole * 3 for found in reader.feed(bytes([byte]))]
        self.assertEqual(frames, [(REQUEST, whole[4:])] * 3)


class TextTests(SessionCase, SynchronousTestCase):
    """What an element says of itself reaches terminals and logs."""

    kind = "tcp"
    BAD = "\x1b]0;owned\x07\x1b[2J\r\nrserpool: all is well\u202e" + "x" * 5000

    def test_printable(self) -> None:
        """Escapes, line breaks and what turns the direction of writing are escaped; too long a text is cut."""
        text = printable(self.BAD)
        self.assertTrue(text.isprintable() and text.isascii())
        self.assertLess(len(text), 1100)
        self.assertEqual(printable("naïve \N{SNOWMAN}"), "naïve \N{SNOWMAN}")

    def refusal(self, answer: asap.Message) -> str:
        """The error of a request to an element that answers so."""

        class Evil(Echo):
            def messageReceived(self, data: bytes) -> None:
                link: Any = self.session._link
                link.send_control(answer)

        self.scope.serve("a", lambda: Evil(b"a", []))
        told = self.scope.session()
        waiting = told.session.request(b"?", timeout=1.0)
        return str(self.failure(waiting, Exception))

    def test_element_error(self) -> None:
        """The text of an error that an element sends for a request."""
        failed = ErrorCause(REQUEST_FAILED, encode_failure(1, self.BAD))
        text = self.refusal(asap.Error((failed,)))
        self.assertIn("owned", text)
        self.assertTrue(text.isprintable())


class PausedTests(SessionCase, SynchronousTestCase):
    """Over SCTP, where nothing holds a peer back."""

    kind = "sctp"

    def test_tiny_messages(self) -> None:
        """A message that waits for a reader counts as 128 bytes at least: a million of one byte do not wait."""
        self.patch(sctp, "SEND_LIMIT", 128 * 1000)
        reading: list[Any] = []

        class Deaf(Echo):
            def messageReceived(self, data: bytes) -> None:
                reading.append(self.session)
                self.session.stop_reading()

        self.scope.serve("a", lambda: Deaf(b"a", []))
        told = self.scope.session()
        self.scope.result(told.session.ready())
        for _ in range(1000):
            told.session.send(b"!")
        self.scope.advance(1.0)
        self.assertFalse(reading[0]._link.over)
        told.session.send(b"!")
        told.session.send(b"!")
        self.scope.advance(1.0)
        self.assertTrue(reading[0]._link is None or reading[0]._link.over)

    def test_of_all(self) -> None:
        """What waits for the readers of one port together is bounded, too: the session with most of it is cut off."""
        self.patch(outgoing, "MOST", 100_000)
        held: list[Any] = []

        class Deaf(Echo):
            def messageReceived(self, data: bytes) -> None:
                held.append(self.session)
                self.session.stop_reading()

        self.scope.serve("a", lambda: Deaf(b"a", []))
        sessions = [self.scope.session().session for _ in range(3)]
        for count, session in enumerate(sessions, 1):
            self.scope.result(session.ready())
            for _ in range(1 + 10 * count):
                session.send(bytes(1000))
        self.scope.advance(0.5)
        self.assertEqual([session._link is not None and not session._link.over for session in held], [True] * 3)
        for _ in range(50):
            sessions[2].send(bytes(1000))
        self.scope.advance(0.1)
        self.assertTrue(held[2]._link is None or held[2]._link.over)
        self.assertFalse(any(session._link is None or session._link.over for session in held[:2]))


class SlowReaderTests(SynchronousTestCase):
    """Over TCP: who asks much in one piece, and reads nothing."""

    def setUp(self) -> None:
        self.asked: list[bytes] = []
        asked = self.asked

        class Verbose(SessionProtocol):
            """Answers a word with 64 KiB."""

            def messageReceived(self, data: bytes) -> bytes:
                asked.append(data)
                return bytes(65536)

        self.link: Any = SessionFactory(Verbose, pool="pool").buildProtocol(None)
        self.transport = StringTransport()
        write, self.written = self.transport.write, 0

        def full(data: bytes) -> None:
            self.written += len(data)
            write(b"")
            if self.written > 65536:
                self.link.pauseProducing()

        self.transport.write = full  # type: ignore[method-assign]
        self.link.makeConnection(self.transport)
        self.link.dataReceived(Hello(b"pool").encode())

    def ask(self, number: int) -> None:
        """So many requests in one piece."""
        self.link.dataReceived(b"".join(frame(REQUEST, each.to_bytes(4, "big") + b"?") for each in range(number)))

    def test_in_one_piece(self) -> None:
        """Of 8,000 requests in 72 KB two are answered before the user has read something: not half a gigabyte."""
        self.ask(8000)
        self.assertLessEqual(len(self.asked), 2)
        self.assertEqual(self.transport.producerState, "paused")
        for _ in range(3):
            self.written = 0
            self.link.resumeProducing()
        self.assertLessEqual(len(self.asked), 8)

    def test_all_in_the_end(self) -> None:
        """All are answered while the user reads, in order, and then the end is told."""
        self.ask(20)
        self.link.connectionLost(Failure(ConnectionDone()))
        self.assertFalse(self.link.over)
        for _ in range(20):
            self.written = 0
            self.link.resumeProducing()
        self.assertEqual(len(self.asked), 20)
        self.assertTrue(self.link.over)


class HelloTests(SessionCase, SynchronousTestCase):
    """Connections to an element's port that say nothing, or half of what they should."""

    kind = "tcp"

    def test_no_hello(self) -> None:
        """Who has not said hello within 10 s is cut off, a line of the log says so; who has may be as silent as it
        likes."""
        self.scope.serve("a")
        log = LogLines(self)
        told = self.scope.session()
        self.scope.result(told.session.ready())
        element = self.scope.processes["a"]
        stranger = self.scope.user()
        lost: list[Any] = []

        class Mute(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(Hello(b"pool").encode()[:-1])  # type: ignore[union-attr]

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                lost.append(self)

        factory: Any = Factory.forProtocol(Mute)
        for _ in range(100):
            TCP4ClientEndpoint(stranger.reactor, element.host, 80).connect(factory)
        self.scope.advance(HELLO - 1.0)
        self.assertEqual(lost, [])
        self.scope.advance(2.0)
        self.assertEqual(len(lost), 100)
        self.assertLessEqual(len([line for line in log.lines if "no hello" in line]), MOST)
        self.scope.advance(100.0)
        self.assertEqual(told.ended, [])
        self.assertEqual(self.scope.result(told.session.request(b"?")), b"a ?")


class CardTests(SynchronousTestCase):
    """Business cards as long as a message may be."""

    def test_decoded(self) -> None:
        """Of 1,400 elements 100 are read; the rest costs no element's decoding."""
        elements = tuple(
            PoolElementParameter(n, 0, 60, TcpTransport(80, "10.0.0.1"), PolicyParameter(1)) for n in range(1, 1401)
        )
        card = asap.decode(asap.encode(asap.BusinessCard(b"pool", elements, True))).message
        assert isinstance(card, asap.BusinessCard)
        self.assertEqual((card.elements, card.exclusive), (elements[:MOST_ON_A_CARD], True))

    def test_candidates(self) -> None:
        """The order that comes of a card takes as many comparisons as there are elements, not their square."""
        compared = 0

        class Counted(int):
            def __eq__(self, other: object) -> bool:
                nonlocal compared
                compared += 1
                return int(self) == other

            __hash__ = int.__hash__

        elements = [
            PoolElementParameter(Counted(n), 0, 60, TcpTransport(80, "10.0.0.1"), PolicyParameter(1))
            for n in range(1, 1401)
        ]
        successors = Successors(b"pool")
        successors.resolved(elements)
        successors.card(asap.BusinessCard(b"pool", tuple(reversed(elements))))
        compared = 0
        self.assertEqual(len(successors.candidates()), 1400)
        self.assertLess(compared, 10 * 1400)
