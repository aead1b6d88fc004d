"""Who is not answered: pages of others, names of others, and who is slow or sends too much."""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.places import TcpPlace
from rserpool.admin.service import AdminService
from rserpool.admin.site import LONGEST_BODY, MOST, SLOW, STUCK
from rserpool.core import TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.testing import Scope
from tests.admin.stage import PORT, Admin


class GateTests(SynchronousTestCase):
    """A registrar's interface at 127.0.0.1."""

    def setUp(self) -> None:
        self.scope = Scope(1)
        self.addCleanup(self.scope.stop)
        self.scope.settle()
        self.admin = Admin(self, self.scope, self.scope.registrars[0])

    def test_host(self) -> None:
        """A name that somebody else lets point here is no name of ours: its pages read nothing (DNS rebinding)."""
        for host in ("127.0.0.1", "127.0.0.1:9", "localhost:8080", "[::1]:8080", "LOCALHOST", "localhost."):
            self.assertEqual(200, self.admin.ask("/v1/about", Host=host).status, host)
        for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example"):
            self.assertEqual(421, self.admin.ask("/v1/about", Host=host).status, host)
        self.assertEqual(400, self.admin.ask("/v1/about", Host="localhost:x").status)
        self.assertEqual(400, self.admin.raw(b"GET /v1/about HTTP/1.1\r\nConnection: close\r\n\r\n").status)

    def test_origin(self) -> None:
        """A page of another origin gets nothing, by whatever method; nobody is told that it might (CORS)."""
        own = f"http://127.0.0.1:{PORT}"
        self.assertEqual(200, self.admin.ask("/v1/about", Origin=own).status)
        for origin in ("http://evil.example", "null", "http://127.0.0.1", f"https://127.0.0.1:{PORT}", own + "0"):
            for method in ("GET", "POST", "OPTIONS", "HEAD"):
                said = self.admin.ask("/v1/about", method, Origin=origin)
                self.assertEqual(403, said.status, (origin, method))
                self.assertEqual([], [name for name in said.headers if name.startswith(b"access-control")])

    def test_site(self) -> None:
        """What a browser says of where a request comes from counts; a link that leads here may be followed."""
        self.assertEqual(403, self.admin.ask("/v1/about", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status)
        self.assertEqual(403, self.admin.ask("/v1/about", Sec_Fetch_Site="same-site").status)
        self.assertEqual(200, self.admin.ask("/v1/about", Sec_Fetch_Site="same-origin").status)
        self.assertEqual(
            200, self.admin.ask("/v1/about", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status
        )

    def test_methods(self) -> None:
        """A path that is read takes no other method."""
        said = self.admin.ask("/v1/pools", "POST", b"{}", Content_Type="application/json")
        self.assertEqual((405, b"GET, HEAD"), (said.status, said.headers[b"allow"]))
        self.assertEqual(405, self.admin.ask("/v1/pools", "OPTIONS").status)
        self.assertEqual(b"", self.admin.ask("/v1/pools", "HEAD").body)

    def test_slow(self) -> None:
        """Who takes too long over a request is cut off, however often it sends something."""
        client = self.admin.connect()
        for _ in range(int(SLOW)):
            client.transport.write(b"G")
            self.scope.advance(0.9)
            self.assertIsNone(client.lost)
        self.scope.advance(1.5)
        self.assertIsNotNone(client.lost)

    def test_silent(self) -> None:
        """So is who says nothing."""
        client = self.admin.connect()
        self.scope.advance(SLOW + 1)
        self.assertIsNotNone(client.lost)

    def test_large(self) -> None:
        """Who sends more than any request has is refused before all of it was there."""
        self.assertEqual(413, self.admin.ask("/v1/pools", "POST", Content_Length=str(LONGEST_BODY + 1)).status)
        chunk = b"1000\r\n" + bytes(0x1000) + b"\r\n"
        head = b"POST /v1/pools HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertEqual(413, self.admin.raw(head + chunk * (LONGEST_BODY // 0x1000 + 1)).status)
        self.assertEqual(0, self.admin.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n").status)

    def test_many(self) -> None:
        """Who comes when there are too many is not let in; the others are served."""
        first = self.admin.connect()
        for _ in range(MOST - 1):
            self.admin.connect()
        late = self.admin.connect()
        self.scope.advance(0.1)
        self.assertIsNotNone(late.lost)
        first.transport.write(b"GET /v1/about HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.scope.advance(0.1)
        self.assertIn(b"200 OK", first.received)

    def test_reads_nothing(self) -> None:
        """Who asks for a long list and reads nothing of it has no more of it made, and is cut off after a while."""
        made = []

        def endless(after, limit):
            for number in count():
                made.append(number)
                yield {"pool": "x" * 1000, "handle": f"{number:08x}"}

        subject: Any = self.admin.service.interface.subject
        subject.pools = endless
        client = self.admin.connect()
        client.transport.write(b"GET /v1/pools HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.transport.pauseProducing()
        self.scope.advance(5)
        before = len(made)
        self.scope.advance(STUCK - 6)
        self.assertEqual((before, 1), (len(made), len(self.admin.service._sites[0].there)))
        self.scope.advance(10)
        self.assertEqual((before, 0), (len(made), len(self.admin.service._sites[0].there)))

    def test_taken(self) -> None:
        """A port in use is told in a sentence, and what was opened before is closed again."""
        place = TcpPlace(TransportAddress((self.admin.process.host,), PORT), False)
        free = TcpPlace(TransportAddress((self.admin.process.host,), PORT + 1), False)
        other = AdminService(self.admin.process.reactor, self.admin.service.interface.subject, [free, place])
        for _ in range(2):
            with self.assertRaisesRegex(ConfigurationError, r"cannot listen at 10\.0\.0\.1:8080: TCP port taken"):
                other.startService()
            self.scope.advance(0.1)
        self.assertFalse(other.running)

    def test_two_requests(self) -> None:
        """A connection may be used again."""
        client = self.admin.connect()
        for _ in range(3):
            client.transport.write(b"GET /v1/about HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.scope.advance(SLOW / 2)
        self.assertEqual(3, client.received.count(b"200 OK"))
