"""What an element says and expects first, read off the wire (RFC 5352 sections 3.8 and 3.9), over TCP."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap
from rserpool.core.wire.frames import CONTROL, FrameReader, Hello, frame
from rserpool.session import KeyRing, SessionFactory, SignedCookies
from tests.session.test_state import KEY, Counter


class FirstTests(SynchronousTestCase):
    """An element, and a user's bytes."""

    def setUp(self) -> None:
        self.started: list[bytes | None] = []
        self.cookies = SignedCookies(KeyRing({"key": KEY}))
        self.factory = SessionFactory(
            lambda: Counter(self.started), pool="pool", cookies=self.cookies, wall=lambda: 1000.0
        )
        self.link = self.factory.buildProtocol(None)
        self.transport = StringTransport()
        self.transport.abortConnection = self.transport.loseConnection  # type: ignore[method-assign]
        self.link.makeConnection(self.transport)

    def said(self) -> list[Any]:
        """What it said since the last call."""
        data = self.transport.value()
        self.transport.clear()
        return [asap.decode(body).message if kind == CONTROL else kind for kind, body in FrameReader().feed(data)]

    def test_a_card_at_the_start(self) -> None:
        """3.9: as soon as the user says hello."""
        self.assertEqual(self.said(), [1])
        self.link.dataReceived(Hello(b"pool").encode())
        self.assertEqual(self.said(), [asap.BusinessCard(b"pool", ())])
        self.assertEqual(self.started, [None])

    def test_who_promises_a_cookie_must_bring_it_first(self) -> None:
        self.link.dataReceived(Hello(b"pool", resumed=True).encode())
        self.assertEqual(self.started, [])
        self.link.dataReceived(frame(2, b"count"))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.started, [])

    def test_a_cookie_in_the_middle_is_ignored(self) -> None:
        cookie = self.cookies.seal(b"7", b"pool", 1000.0)
        echo = frame(CONTROL, asap.encode(asap.CookieEcho(cookie)))
        self.link.dataReceived(Hello(b"pool", resumed=True).encode() + echo)
        self.link.dataReceived(echo)
        self.assertEqual(self.started, [b"7"])

    def test_a_pool_that_is_not_ours(self) -> None:
        """Its cookies are not ours to make: the session is one of our pool."""
        self.link.dataReceived(Hello(b"elsewhere").encode() + frame(2, b"count"))
        [_, card, cookie, _] = self.said()
        self.assertEqual(card.handle, b"pool")
        self.assertEqual(self.cookies.open(cookie.cookie, (b"pool",), 1000.0), b"1")

    def test_too_long_a_message(self) -> None:
        """Is noticed by its first bytes."""
        factory = SessionFactory(lambda: Counter(self.started), longest=100)
        link, transport = factory.buildProtocol(None), StringTransport()
        transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
        link.makeConnection(transport)
        link.dataReceived(Hello(b"pool").encode() + frame(2, bytes(101))[:4])
        self.assertTrue(transport.disconnecting)

    def test_garbage(self) -> None:
        """On the control channel it is ignored; elsewhere the connection is dropped."""
        self.link.dataReceived(Hello(b"pool").encode() + frame(CONTROL, b"garbage"))
        self.assertFalse(self.transport.disconnecting)
        self.link.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        self.assertTrue(self.transport.disconnecting)

    def test_no_hello(self) -> None:
        self.link.dataReceived(frame(2, b"data"))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.started, [])
