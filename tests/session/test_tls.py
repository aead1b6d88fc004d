"""Sessions within TLS, over TCP and SCTP: one connection protects data and control (RFC 5355 section 2.16)."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import RequestFailed
from rserpool.element.ports import has_control_channel, session_framing
from rserpool.session import KeyRing, SessionFactory, SessionProtocol, SignedCookies
from tests.session.scope import SessionCase
from tests.session.test_state import KEY, Counter
from tests.web.certificates import Authority

NAME = "pool.example"


class Both(SessionCase):
    """What is so over both transports."""

    authority = Authority()

    def serve(self: Any, name: str, certificate: str = NAME, authority: Authority | None = None, **options: Any) -> Any:
        """An element that shows a certificate for this name."""
        tls = (authority or self.authority).server(certificate).options()
        return self.scope.serve(name, tls=tls, **options)

    def session(self: Any, name: str = NAME, **options: Any) -> Any:
        """A session that wants this name."""
        return self.scope.session(tls=name, tls_ca=self.authority.pem, **options)

    def ask(self: Any, told: Any, data: bytes = b"hello") -> bytes:
        return self.scope.result(told.session.request(data))

    def test_answered(self: Any) -> None:
        """Requests, messages of any size, and the end."""
        self.serve("a")
        told = self.session()
        self.assertEqual(b"a hello", self.ask(told))
        long = bytes(60000)
        self.assertEqual(b"a " + long, self.ask(told, long))
        self.scope.result(told.session.close())
        self.scope.advance(1.0)
        self.assertEqual(0, len(self.scope.factories["a"].sessions))

    def test_failover(self: Any) -> None:
        """The next element is checked anew, the state goes along, and the application is told (RFC 5355 2.8)."""
        started: list[bytes | None] = []
        cookies = SignedCookies(KeyRing({"key": KEY}))
        for name in "ab":
            self.serve(name, build=lambda: Counter(started), cookies=cookies)
        self.serve("c", "wrong.example", build=lambda: Counter(started), cookies=cookies)
        told = self.session(repeat=True)
        for count in range(1, 4):
            self.assertEqual(b"%d" % count, self.ask(told, b"count"))
            if count < 3:
                first = self.scope.name(told.session.element)
                if count == 1:
                    self.scope.kill_serving(told.session)
                    last = first
        self.assertEqual([(last, "b" if last == "a" else "a")], told.failovers)
        self.assertEqual([None, b"1"], started)

    def test_another_name(self: Any) -> None:
        """An element for another name, or of another authority, gets no message, and no report goes out."""
        element = self.serve("a", "wrong.example")
        self.serve("b", authority=Authority("a stranger"))
        told = self.session(patience=2.0)
        error = self.failure(told.session.request(b"secret"), RequestFailed)
        self.assertIn(f"its certificate is not one for {NAME}", str(error))
        self.assertEqual([], self.scope.started["a"] + self.scope.started["b"])
        self.scope.advance(5.0)
        self.assertTrue(element.pools)
        self.assertEqual(2, len(self.scope.registrars[0].service.registrar.handlespace))

    def test_one_wrong(self: Any) -> None:
        """Where one is right, that serves; who speaks no TLS is passed by."""
        self.serve("a", "wrong.example")
        self.scope.serve("b")
        self.serve("c")
        for _ in range(3):
            self.assertEqual(b"c hello", self.ask(self.session()))
        if self.kind == "tcp":
            # Over SCTP there is no hello: a ClientHello is a message like any other.
            self.assertEqual([], self.scope.started["b"])

    def test_in_the_clear(self: Any) -> None:
        """Who asks an element for a session in the clear that serves within TLS gets none."""
        self.serve("a")
        told = self.scope.session(patience=2.0)
        self.failure(told.session.request(b"secret", timeout=5.0), RequestFailed)
        self.assertEqual([], self.scope.started["a"])


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"


class PortTests(SynchronousTestCase):
    """What an element registers for a port with TLS."""

    def test_wrapped(self) -> None:
        """What is within TLS speaks sessions, and learns its pools."""
        factory = SessionFactory(SessionProtocol)
        wrapped = TLSMemoryBIOFactory(Authority().server(NAME).options(), False, factory, Clock())
        self.assertEqual(1, session_framing(wrapped, ["shop"]))
        self.assertTrue(has_control_channel(wrapped))
        self.assertEqual((b"shop",), factory.pools)
