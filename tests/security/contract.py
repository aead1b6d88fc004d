"""What every way to OpenSSL does: tests to mix into a C{TestCase} that supplies contexts (RFC 5352 section 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.core.identity import Identity
from rserpool.security import engine, way
from rserpool.security.engine import TlsSide
from rserpool.security.failure import TlsFailure
from rserpool.security.way import Terms
from tests.conformance import rfc
from tests.security.certificates import Authority
from tests.security.contract_records import RecordContract
from tests.security.pair import KEY, SECOND, Pair, Rogue, authority, certificate, dns, nobody

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object


class HandshakeContract(_Base):
    """Who is spoken with.

    @cvar chooses_groups: whether this way can say which groups it offers.
    """

    chooses_groups = True

    def pair(self, server: Terms, client: Terms, *expected: Identity, anonymous: bool = True) -> Pair:
        """Both ends, after their handshake."""
        return Pair(TlsSide(client).connection(expected), TlsSide(server, anonymous).connection()).run()

    def assertUp(self, pair: Pair) -> None:
        """Both are established, and hear each other."""
        self.assertEqual({}, pair.failed)
        self.assertEqual((True, True), (pair.client.established, pair.server.established))
        self.assertEqual(b"question", pair.server.open(pair.client.seal(b"question")))
        self.assertEqual(b"answer", pair.client.open(pair.server.seal(b"answer")))

    def assertNobody(self, pair: Pair, at: str, why: str) -> None:
        """The end that finds something wrong says what, and the other one does not serve it."""
        self.assertIn(at, pair.failed)
        self.assertRegex(pair.failed[at], why)
        end = pair.client if at == "client" else pair.server
        self.assertEqual((False, None), (end.established, end.credentials))

    @rfc("5355", "2.11.3", "A provision for data confidentiality service")
    @rfc("5355", "2.12.3", "and a provision for data confidentiality service")
    def test_key(self) -> None:
        """Both have the key: TLS 1.3 and 1.2, the client by its name, with Diffie-Hellman in any case."""
        for lowest, highest in (("1.3", "1.3"), ("1.2", "1.2")):
            server = Terms(True, find={KEY.name: KEY.secret}.get)
            pair = self.pair(server, Terms(False, own=KEY, lowest=lowest, highest=highest))
            self.assertUp(pair)
            self.assertEqual((Identity("psk", "web1"),), pair.server.credentials)
            self.assertEqual((Identity("psk", "web1"),), pair.client.credentials)
            self.assertEqual(f"TLSv{highest}", pair.server.version)
            self.assertNotIn("NULL", pair.server.cipher)
            if highest == "1.2":
                self.assertTrue(pair.server.cipher.startswith("ECDHE-PSK"))

    def test_second_key(self) -> None:
        """A second key of one bearer is the same identity."""
        keys = {each.name: each.secret for each in (KEY, SECOND)}
        pair = self.pair(Terms(True, find=keys.get), Terms(False, own=SECOND))
        self.assertUp(pair)
        self.assertEqual((Identity("psk", "web1"),), pair.server.credentials)

    def test_unknown_key(self) -> None:
        """Whose key is not known is cut off before the server has shown anything; also where it has a certificate."""
        for shown in (None, certificate("reg1.example")):
            for highest in ("1.2", "1.3"):
                server = Terms(True, find=nobody, certificate=shown)
                pair = self.pair(server, Terms(False, own=KEY, highest=highest))
                self.assertNobody(pair, "server", "no key 'web1' is known here")
                self.assertNobody(pair, "client", "it does not know the key")

    def test_no_keys_taken(self) -> None:
        """A server that takes no keys at all cuts it off, too: the client would be nobody in particular."""
        for highest in ("1.2", "1.3"):
            server = Terms(True, certificate=certificate("reg1.example"))
            pair = self.pair(server, Terms(False, own=KEY, highest=highest))
            self.assertIn("server", pair.failed)
            self.assertNobody(pair, "client", "refuses")

    def test_other_secret(self) -> None:
        """The same name, another secret."""
        for highest in ("1.2", "1.3"):
            server = Terms(True, find={KEY.name: bytes(16)}.get, certificate=certificate("reg1.example"))
            pair = self.pair(server, Terms(False, own=KEY, highest=highest))
            self.assertNobody(pair, "server", "its key is")
            self.assertNobody(pair, "client", "refuses: its key is not the one")

    def test_a_hello_with_a_key_fits_into_one_packet(self) -> None:
        """It keeps secrets from quantum computers: nobody needs ML-KEM, which makes a hello three times as long."""
        if not self.chooses_groups:
            raise SkipTest("C{ssl} chooses groups since Python 3.15")
        hello = TlsSide(Terms(False, own=KEY)).connection().start()
        self.assertLess(len(hello), 1000)
        pair = self.pair(Terms(True, find={KEY.name: KEY.secret}.get), Terms(False, own=KEY))
        self.assertLess(len(pair.sent["server"]), 1000)

    @rfc("5352", "9.2", "ENRP servers and PEs MUST support mutual authentication using PSK")
    @rfc("5353", "6.2", "ENRP servers and PEs MUST support mutual authentication using PSK")
    def test_rogue_server(self) -> None:
        """A server that ignores the key and shows a certificate is nobody, whatever the certificate."""
        for highest in ("1.2", "1.3"):
            client = TlsSide(Terms(False, own=KEY, highest=highest)).connection()
            pair = Pair(client, Rogue(Terms(True, certificate=certificate("reg1.example")))).run()
            self.assertNobody(pair, "client", "it did not use our key" if highest == "1.3" else "refuses")
            self.assertFalse(pair.server.established)

    @rfc(
        "5352",
        "9.2",
        "ASCII Compatible Encoding",
        "MUST perform the conversion operation",
        "stored string",
        "DNS labels and names MUST be compared",
        "network byte order",
    )
    @rfc(
        "5353",
        "6.2",
        "ASCII Compatible Encoding",
        "MUST perform the conversion operation",
        "stored string",
        "DNS labels and names MUST be compared",
        "network byte order",
    )
    def test_certificate(self) -> None:
        """A user checks a registrar's certificate for one of the names that it expects, and is nobody itself."""
        for names, expected in (
            (("reg1.example", "scope.example"), dns("scope.example")),
            (("*.pool.example",), dns("reg1.pool.example")),
            (("REG1.example",), dns("reg1.EXAMPLE.")),
            (("xn--bcher-kva.example",), dns("b\u00fccher.example")),
            (("192.0.2.1",), [Identity("ip", "192.0.2.1")]),
            (("2001:db8::1", "reg1.example"), [*dns("other.example"), Identity("ip", "2001:DB8:0::1")]),
        ):
            for highest in ("1.2", "1.3"):
                server = Terms(True, find=nobody, certificate=certificate(*names))
                pair = self.pair(server, Terms(False, anchors=authority().pem, highest=highest), *expected)
                self.assertUp(pair)
                self.assertEqual((), pair.server.credentials)
                kinds = {each.kind for each in expected} - {"x"}
                self.assertTrue(kinds & {each.kind for each in pair.client.credentials or ()})

    @rfc("5352", "9.2", "MUST verify the server's identity", "names MUST be compared")
    @rfc("5353", "6.2", "MUST verify the server's identity", "names MUST be compared")
    def test_wrong_name(self) -> None:
        """A name that is not in the certificate, however near: RFC 5352 section 9.2 has the rules."""
        for names, expected in (
            (("reg2.example",), dns("reg1.example")),
            (("*.pool.example",), dns("a.b.pool.example")),
            (("*.pool.example",), dns("pool.example")),
            (("*.example",), dns("reg1.example")),
            (("r*.pool.example",), dns("reg1.pool.example")),
            (("a.*.example",), dns("a.b.example")),
            (("192.0.2.1",), [Identity("ip", "192.0.2.2")]),
            (("192.0.2.1",), dns("192.0.2.1")),
            (("reg1.example",), [Identity("psk", "reg1.example")]),
            (("reg1.example",), []),
            ((), dns("somebody")),
        ):
            server = Terms(True, certificate=certificate(*names))
            pair = self.pair(server, Terms(False, anchors=authority().pem), *expected)
            self.assertNobody(pair, "client", "its identity is suspect")
            self.assertFalse(pair.server.established)

    @rfc("5352", "9.2", "MUST have a mechanism for validating certificates")
    @rfc("5353", "6.2", "MUST have a mechanism for validating certificates")
    def test_certificate_that_does_not_hold(self) -> None:
        """One that has expired, and one of an issuer that nobody trusts."""
        stranger = Authority("stranger")
        for shown, why in (
            (certificate("reg1.example", expired=True), "we do not take its certificate: certificate has expired"),
            (stranger.issue("reg1.example"), "we do not take its certificate: .*issuer"),
        ):
            for highest in ("1.2", "1.3"):
                client = Terms(False, anchors=authority().pem, highest=highest)
                pair = self.pair(Terms(True, certificate=shown), client, *dns("reg1.example"))
                self.assertNobody(pair, "client", why)
                self.assertNobody(pair, "server", "the peer refuses")

    def test_client_certificate(self) -> None:
        """A client's certificate is checked where there are anchors for it; else nobody asks."""
        server = Terms(True, certificate=certificate("reg1.example"), anchors=authority().pem)
        shown = certificate("user.example", "192.0.2.7")
        client = Terms(False, certificate=shown, anchors=authority().pem)
        pair = self.pair(server, client, *dns("reg1.example"))
        self.assertUp(pair)
        self.assertEqual((*dns("user.example"), Identity("ip", "192.0.2.7")), pair.server.credentials)
        forged = Terms(False, certificate=Authority("stranger").issue("user.example"), anchors=authority().pem)
        self.assertNobody(self.pair(server, forged, *dns("reg1.example")), "server", "we do not take its certificate")
        anonymous = Terms(False, anchors=authority().pem)
        self.assertUp(self.pair(server, anonymous, *dns("reg1.example")))
        self.assertNobody(
            self.pair(server, anonymous, *dns("reg1.example"), anonymous=False), "server", "it proves nothing"
        )

    def test_one_server_serves_both(self) -> None:
        """The hello decides: a key here, a certificate there, of one and the same server."""
        server = TlsSide(Terms(True, find={KEY.name: KEY.secret}.get, certificate=certificate("reg1.example")))
        for highest in ("1.2", "1.3"):
            key = TlsSide(Terms(False, own=KEY, highest=highest)).connection()
            user = TlsSide(Terms(False, anchors=authority().pem, highest=highest)).connection(dns("reg1.example"))
            pairs = [Pair(each, server.connection()).run() for each in (key, user)]
            for pair in pairs:
                self.assertUp(pair)
            self.assertEqual([(Identity("psk", "web1"),), ()], [pair.server.credentials for pair in pairs])

    @rfc("5352", "9.2", "TLS_RSA_WITH_AES_128_CBC_SHA")
    @rfc("5353", "6.2", "TLS_RSA_WITH_AES_128_CBC_SHA")
    def test_static_rsa(self) -> None:
        """TLS_RSA_WITH_AES_128_CBC_SHA is there where both want it (RFC 5352 section 9.2), and only there."""
        shown = certificate("reg1.example", use_rsa=True)
        for ours, theirs in ((True, True), (True, False), (False, True)):
            server = Terms(True, certificate=shown, static_rsa=ours)
            client = Terms(False, anchors=authority().pem, highest="1.2", static_rsa=theirs)
            pair = self.pair(server, client, *dns("reg1.example"))
            self.assertUp(pair)
            self.assertTrue(pair.server.cipher.startswith("ECDHE"))
        with patch.object(way, "CERTIFICATE_SUITES", way.STATIC_RSA):
            client = Terms(False, anchors=authority().pem, highest="1.2", static_rsa=True)
            alone = TlsSide(client)
        for ours in (True, False):
            server = Terms(True, certificate=shown, static_rsa=ours)
            pair = Pair(alone.connection(dns("reg1.example")), TlsSide(server).connection()).run()
            self.assertEqual(ours, pair.server.established)
            if ours:
                self.assertEqual("AES128-SHA", pair.server.cipher)

    def test_lowest(self) -> None:
        """Who wants 1.3 speaks no 1.2."""
        server = Terms(True, find={KEY.name: KEY.secret}.get, lowest="1.3")
        self.assertNobody(self.pair(server, Terms(False, own=KEY, highest="1.2")), "server", "none of our TLS versions")

    def test_not_tls(self) -> None:
        """Who speaks no TLS is told apart at the first bytes."""
        for data in (
            b"\x05\x00\x00\x08\x00\x0b\x00\x04",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\xff\xff" + bytes(64),
        ):
            server = TlsSide(Terms(True, find=nobody)).connection()
            self.assertRegex(str(self.assertRaises(TlsFailure, server.handshake, data)), "speaks no TLS|not take")

    def test_no_end_of_handshake(self) -> None:
        """A handshake has so many bytes, and no more."""
        server = TlsSide(Terms(True, find=nobody)).connection()
        with self.assertRaises(TlsFailure):
            for _ in range(100):
                server.handshake(b"\x16\x03\x01\x04\x00" + b"\x01\x00\xff\xff" + bytes(1020))
        certified = TlsSide(Terms(False, anchors=authority().pem)).connection()
        certified.start()
        with patch.object(engine, "HANDSHAKE_BYTES", 100):
            self.assertIn("more than 100 bytes", str(self.assertRaises(TlsFailure, certified.handshake, bytes(101))))

    def test_pieces(self) -> None:
        """The bytes of a handshake come in any pieces."""
        for client_terms, expected in (
            (Terms(False, own=KEY), []),
            (Terms(False, anchors=authority().pem), dns("a.b.c")),
        ):
            server = TlsSide(
                Terms(True, find={KEY.name: KEY.secret}.get, certificate=certificate("a.b.c"))
            ).connection()
            client = TlsSide(client_terms).connection(expected)
            to_server = client.start()
            while not (client.established and server.established):
                to_client = b"".join(server.handshake(to_server[at : at + 1]) for at in range(len(to_server)))
                pieces = [to_client[at : at + 3] for at in range(0, len(to_client), 3)]
                to_server = b"".join(client.handshake(piece) for piece in pieces if not client.established)
            self.assertEqual(b"x", server.open(client.seal(b"x")))


class WayContract(HandshakeContract, RecordContract):
    """The whole contract."""
