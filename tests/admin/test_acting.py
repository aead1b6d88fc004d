"""Who may act: operators, by a certificate or a token; nobody by a page in their browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.askers import Token
from rserpool.admin.places import TcpPlace
from rserpool.admin.service import AdminService
from rserpool.admin.site import SLOW
from rserpool.core import TransportAddress
from rserpool.core.access import Access, Principal, State
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.identity import Identity
from rserpool.security.following import Secured
from rserpool.security.settings import Certificate, Security
from rserpool.testing import Scope
from tests.admin.stage import PORT, Admin
from tests.admin.test_unix import Nothing
from tests.loglines import LogLines
from tests.pool_scope import PoolScope
from tests.web.certificates import Authority

TOKEN = "0123456789abcdef0123456789abcdef"
DRAIN = "/v1/pools/www/elements/0x00000001/drain"


class Acting(Nothing):
    """Notes what it is to do."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.answer: Any = None

    def act(self, verb, *arguments, by):
        self.done.append((verb, *arguments))
        self.by = by
        return self.answer


class TokenTests(SynchronousTestCase):
    """A port of this host, in the clear."""

    def setUp(self) -> None:
        self.scope = Scope(1)
        self.addCleanup(self.scope.stop)
        self.subject = Acting()
        path = Path(self.mktemp())
        path.touch(0o600)
        path.write_text(TOKEN + "\n")
        self.path = path
        self.admin = Admin(self, self.scope, self.scope.registrars[0], self.subject, token=Token(path))

    def post(self, path=DRAIN, body=b"{}", **headers):
        given = {"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}", **headers}
        return self.admin.ask(path, "POST", body, **{name: value for name, value in given.items() if value})

    def test_token(self) -> None:
        """Who has the token acts; who has not, or another one, changes nothing. All of that is noted."""
        lines = LogLines(self).lines
        self.assertEqual(200, self.post().status)
        self.assertEqual([("drain", b"www", 1)], self.subject.done)
        said = self.post(Authorization="")
        self.assertEqual((401, b'Bearer realm="rserpool"'), (said.status, said.headers[b"www-authenticate"]))
        for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", "Bearer  ", f"Bearer {TOKEN[:-1]}"):
            self.assertEqual(401, self.post(Authorization=wrong).status, wrong)
        self.assertEqual(1, len(self.subject.done))
        self.assertIn("an operator by token, at 10.0.0.1:", self.subject.by)
        self.assertIn("GMT", said.headers[b"date"].decode())
        audit = [line for line in lines if line.startswith("audit:")]
        self.assertIn(f"refused {DRAIN}: no operator", audit[0])
        self.assertEqual(6, len(audit))
        for line in audit[1:]:
            self.assertRegex(line, f"audit: somebody at 10.0.0.1:[0-9]+ refused {DRAIN}: this is not the token")
        self.assertNotIn(TOKEN, "".join(lines))

    def test_another_file(self) -> None:
        """Another token counts as soon as it is in the file; a file that others may read counts no more."""
        self.path.write_text("x" * 40)
        self.assertEqual(401, self.post().status)
        self.assertEqual(200, self.post(Authorization=f"Bearer {'x' * 40}").status)
        self.path.chmod(0o644)
        self.assertEqual(503, self.post(Authorization=f"Bearer {'x' * 40}").status)
        with self.assertRaisesRegex(ConfigurationError, "chmod 0600"):
            Token(self.path)

    def test_short(self) -> None:
        """A token that can be guessed is refused before anything starts."""
        self.path.write_text("secret")
        with self.assertRaisesRegex(ConfigurationError, "openssl rand -hex 32"):
            Token(self.path)

    def test_pages(self) -> None:
        """No page of another site acts, whatever it has the browser send, even with the token."""
        own = f"http://127.0.0.1:{PORT}"
        self.assertEqual(200, self.post(Origin=own, Sec_Fetch_Site="same-origin").status)
        for attempt in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"},
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
            {"Host": "evil.example"},
            {"Content_Type": "application/x-www-form-urlencoded"},
            {"Content_Type": "text/plain"},
            {"Content_Type": "multipart/form-data; boundary=x"},
            {"Content_Type": ""},
        ):
            self.assertIn(self.post(**attempt).status, (400, 403, 415, 421), attempt)
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            said = self.admin.ask(DRAIN, method, Authorization=f"Bearer {TOKEN}", Content_Type="application/json")
            self.assertEqual(405, said.status, method)
        self.assertEqual(1, len(self.subject.done))

    def test_evict(self) -> None:
        """An eviction has a length; what is told beside that is refused."""
        path = DRAIN.replace("drain", "evict")
        self.assertEqual(200, self.post(path, b'{"seconds": 30}').status)
        self.assertEqual(200, self.post(path, b"{}").status)
        self.assertEqual([("evict", b"www", 1, 30.0), ("evict", b"www", 1, 600.0)], self.subject.done)
        for wrong in (
            b'{"seconds": 0}',
            b'{"seconds": true}',
            b'{"seconds": "x"}',
            b"",
            b"[]",
            b"{",
            b'{"for": 3}',
            b"\xff",
        ):
            self.assertEqual(400, self.post(path, wrong).status, wrong)
        self.assertEqual(400, self.post("/v1/pools/www/elements/1/drain").status)
        self.assertEqual(2, len(self.subject.done))

    def test_later(self) -> None:
        """What takes its time is answered when it is done; what cannot be done says why."""
        self.subject.answer = Deferred()
        self.scope.clock.callLater(5.0, self.subject.answer.callback, None)
        self.assertEqual(200, self.post("/v1/retire").status)
        self.subject.answer = fail(RSerPoolError("the element does not know how to drain: evict it"))
        said = self.post()
        self.assertEqual((409, "the element does not know how to drain: evict it"), (said.status, said.error))

    def test_gone(self) -> None:
        """Who goes away before it is done disturbs nobody."""
        self.subject.answer = Deferred()
        client = self.admin.connect()
        head = f"POST /v1/retire HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        client.transport.write(f"{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        self.scope.advance(1)
        client.transport.abortConnection()
        self.scope.advance(1)
        self.subject.answer.callback(None)
        self.assertEqual(200, self.admin.ask("/live").status)


class CertificateTests(SynchronousTestCase):
    """A port that others can reach: TLS, and certificates."""

    def setUp(self) -> None:
        self.scope = Scope(1)
        self.addCleanup(self.scope.stop)
        self.authority = Authority()
        own = self.authority.sign("reg.example")
        operator = Principal("ann", frozenset({Identity("dns", "ann.example")}), operator=True)
        registrar = Principal("reg", frozenset({Identity("dns", "reg2.example")}), registrar=True)
        self.secured = Secured(
            Security(
                certificate=Certificate(own, own),
                client_ca=self.authority.pem,
                access=Access([operator, registrar], State.REQUIRED),
            )
        )
        self.subject = Acting()
        process = self.scope.registrars[0]
        place = TcpPlace(TransportAddress((process.host,), PORT), True)
        service = AdminService(process.reactor, self.subject, [place], secured=self.secured)
        service.startService()
        self.addCleanup(service.stopService)
        self.admin = Admin.__new__(Admin)
        self.admin.scope, self.admin.process, self.admin.service = self.scope, process, service

    def post(self, name: str, authority: Authority | None = None):
        options: dict[str, Any] = {"trustRoot": self.authority.trusted}
        if name:
            own = PrivateCertificate.loadPEM((authority or self.authority).sign(name))
            options |= {"privateKey": own.privateKey.original, "certificate": own.original}
        self.admin.tls = CertificateOptions(**options)
        return self.admin.ask(DRAIN, "POST", b"{}", Content_Type="application/json", Host="reg.example")

    def test_operator(self) -> None:
        """A certificate of an operator is enough; that of a registrar, of nobody, or none, is not."""
        self.assertEqual(200, self.post("ann.example").status)
        for name in ("reg2.example", "somebody.example", ""):
            self.assertEqual(401, self.post(name).status, name)
        self.assertEqual(0, self.post("ann.example", Authority()).status)
        self.assertEqual(1, len(self.subject.done))

    def test_revoked(self) -> None:
        """Who is an operator no more acts no more."""
        self.secured.replace(replace(self.secured.current, access=Access([], State.REQUIRED)))
        self.assertEqual(401, self.post("ann.example").status)

    def test_reading(self) -> None:
        """Whoever speaks TLS reads; the names of the certificate are names of this place."""
        self.post("")
        self.assertEqual(200, self.admin.ask("/live", Host="reg.example:9").status)
        self.assertEqual(421, self.admin.ask("/live", Host="other.example").status)
        self.admin.tls = None
        self.assertEqual(0, self.admin.ask("/live").status)

    def test_silent(self) -> None:
        """Who connects and begins no handshake is cut off."""
        client = self.admin.connect()
        self.scope.advance(SLOW + 1)
        self.assertIsNotNone(client.lost)

    def test_without(self) -> None:
        """Beyond this host nothing is shown without TLS."""
        place = TcpPlace(TransportAddress(("10.0.0.1",), 1), True)
        for secured in (None, Secured(Security(access=Access()))):
            service = AdminService(self.admin.process.reactor, self.subject, [place], secured=secured)
            with self.assertRaisesRegex(ConfigurationError, "certificate"):
                service.startService()


class RegistrarTests(SynchronousTestCase):
    """A registrar that does what operators want."""

    def test_drain_and_evict(self) -> None:
        """An element drains, serves again, and is evicted; who asked is in the audit trail."""
        scope = PoolScope(self)
        path = Path(self.mktemp())
        path.touch(0o600)
        path.write_text(TOKEN)
        admin = Admin(self, scope, scope.registrars[0], token=Token(path))
        scope.member(1, "www")
        scope.member(2, "www")
        lines = LogLines(self).lines

        def post(verb, body=b"{}"):
            headers = {"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
            return admin.ask(f"/v1/pools/www/elements/0x00000001/{verb}", "POST", body, **headers)

        self.assertEqual(200, post("drain").status)
        self.assertEqual(["0x00000002"], identifiers(admin, "/v1/pools/www/elements"))
        self.assertEqual(["0x00000001"], identifiers(admin, "/v1/draining"))
        self.assertEqual(200, post("undrain").status)
        self.assertEqual([], identifiers(admin, "/v1/draining"))
        self.assertEqual(2, len(identifiers(admin, "/v1/pools/www/elements")))
        self.assertEqual(200, post("evict", b'{"seconds": 60}').status)
        self.assertEqual(["0x00000002"], identifiers(admin, "/v1/pools/www/elements"))
        said = admin.ask(
            "/v1/pools/www/elements/0x00000009/drain",
            "POST",
            b"{}",
            **{"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
        )
        self.assertEqual(409, said.status)
        for verb in ("drain", "undrain", "evict"):
            at = f"/v1/pools/ww/elements/0x00000001/{verb}"
            said = admin.ask(
                at, "POST", b"{}", **{"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
            )
            self.assertEqual((404, "no pool is named 'ww' (cause 0x9)"), (said.status, said.error))
        audit = [line for line in lines if "by token" in line]
        self.assertGreaterEqual(len(audit), 4)


def identifiers(admin, path):
    return [each["identifier"] for each in admin.ask(path).json["elements"]]
