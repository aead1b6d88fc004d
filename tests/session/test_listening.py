"""Elements whose registration does not say what they speak: a registrar on the way has stripped it."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols import wire
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap
from rserpool.session import KeyRing, SessionFactory, SessionProtocol, SignedCookies
from rserpool.session.listening import WAIT
from tests.session.scope import Echo, SessionCase, SessionScope
from tests.session.test_state import KEY, Counter


class Later(SessionProtocol):
    """Keeps what it is asked."""

    def __init__(self, asked: list[Any]) -> None:
        self.asked = asked

    def messageReceived(self, data: bytes) -> None:
        self.asked.append((data, self.session.request))


class Both(SessionCase):
    """What it says first tells."""

    scope: SessionScope

    def test_ours(self: Any) -> None:
        """Requests have numbers: they may be answered in any order, and a repeated one is told to be so."""
        asked: list[Any] = []
        for name in "ab":
            self.scope.serve(name, lambda: Later(asked), framing=0)
        told = self.scope.session(repeat=True)
        answers = [told.session.request(data) for data in (b"1", b"2")]
        self.scope.until(lambda: len(asked) == 2)
        self.assertEqual([False, False], [request.repeated for _, request in asked])
        asked[1][1].reply(b"two")
        self.assertEqual(b"two", self.scope.result(answers[1]))
        self.scope.kill_serving(told.session)
        self.scope.until(lambda: len(asked) == 3)
        self.assertTrue(asked[2][1].repeated)
        asked[2][1].reply(b"one")
        self.assertEqual(b"one", self.scope.result(answers[0]))

    def test_state(self: Any) -> None:
        """What the first one left is the next one's."""
        cookies = SignedCookies(KeyRing({"key": KEY}))
        for name in "ab":
            started = self.scope.started.setdefault(name, [])
            self.scope.serve(name, lambda started=started: Counter(started), framing=0, cookies=cookies)
        told = self.scope.session(repeat=True)
        self.assertEqual([b"1", b"2"], [self.scope.result(told.session.request(b"count")) for _ in range(2)])
        self.scope.kill_serving(told.session)
        self.assertEqual(b"3", self.scope.result(told.session.request(b"count")))

    def test_once(self: Any) -> None:
        """It is found out once for each user: the second session is not later than with an element that tells."""
        self.scope.serve("a", framing=0)
        user = self.scope.user().service
        for _ in range(2):
            before = self.scope.now
            self.scope.result(self.scope.session(user=user).session.request(b"1"))
            self.assertLess(self.scope.now - before, WAIT)


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"

    def test_foreign(self) -> None:
        """One that waits for us is waited for once; then it gets the bytes at once."""
        self.scope.serve("a", factory=Factory.forProtocol(wire.Echo), framing=0)
        user = self.scope.user().service
        for least, most in ((WAIT, 2 * WAIT), (0.0, WAIT)):
            before = self.scope.now
            told = self.scope.session(user=user)
            told.session.send(b"hello")
            self.scope.until(lambda told=told: told.received == [b"hello"])  # type: ignore[misc]
            self.assertTrue(least <= self.scope.now - before < most)

    def test_foreign_that_speaks_first(self) -> None:
        """What it says is no hello, be it alike: it is what the application hears."""

        class Talking(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"\x01\x00\x00\x0cRS")  # type: ignore[union-attr]
                self.transport.write(b"pool")  # type: ignore[union-attr]

        self.scope.serve("a", factory=Factory.forProtocol(Talking), framing=0)
        told = self.scope.session()
        self.scope.until(lambda: b"".join(told.received) == b"\x01\x00\x00\x0cRSpool")

    def test_far(self) -> None:
        """Of one that is far the hello takes longer: so did the connection."""
        element = self.scope.serve("a", framing=0)
        user = self.scope.user()
        self.scope.delay(user, element, 3 * WAIT)
        self.assertEqual(b"a 1", self.scope.result(self.scope.session(user=user.service).session.request(b"1")))

    def test_late(self) -> None:
        """One whose hello takes longer still is connected to once more, and nobody is reported."""

        class Slow(SessionFactory):
            def buildProtocol(self, addr: Any) -> Any:
                link = super().buildProtocol(addr)
                greet = link.connectionMade
                link.connectionMade = lambda: scope.clock.callLater(2 * WAIT, greet)
                return link

        scope = self.scope
        scope.serve("a", factory=Slow(lambda: Echo(b"a", [])), framing=0)
        told = scope.session()
        scope.result(told.session.ready())
        self.assertFalse(told.session.answers_messages)
        scope.until(lambda: told.session.answers_messages)
        self.assertEqual(b"a 1", scope.result(told.session.request(b"1")))
        self.assertEqual([], scope.trace.messages(asap.EndpointUnreachable))


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"

    def test_foreign(self) -> None:
        """Without a business card its answers come in order, as of old."""

        class Foreign(SessionFactory):
            def serves_in(self, pools: Any) -> None:
                pass

        asked: list[bytes] = []

        class Slow(SessionProtocol):
            def messageReceived(self, data: bytes) -> None:
                asked.append(data)
                if len(asked) == 2:
                    self.session.reply(b"one")
                    self.session.reply(b"two")

        self.scope.serve("a", factory=Foreign(Slow), framing=0)
        told = self.scope.session()
        answers = [told.session.request(data) for data in (b"1", b"2")]
        self.assertEqual([b"one", b"two"], [self.scope.result(each) for each in answers])
