"""Peers that are not ours: OpenSSL's own client and server, honest ones and rogues (RFC 5352 section 9.2)."""

from __future__ import annotations

from typing import Any

from rserpool.core.identity import Identity
from rserpool.security.way import Terms
from tests.security.certificates import Authority
from tests.security.openssl_case import OpenSslCase, asap
from tests.security.pair import KEY, authority, certificate, dns, nobody

VERSIONS = ("1_2", "1_3")
BY_KEY = ("-psk", KEY.secret.hex(), "-psk_identity", KEY.name)
NAME = "reg1.pool.example"


def known(name: str) -> bytes | None:
    """One key is known."""
    return KEY.secret if name == KEY.name else None


class ClientTests(OpenSslCase):
    """s_client at our port."""

    def both(self, **options: Any) -> Terms:
        """A registrar with keys of elements and a certificate for users."""
        return Terms(True, find=known, certificate=certificate(NAME), **options)

    async def served(self, port: int, recorder: Any, *arguments: str) -> Any:
        """Their client is served; gives the association."""
        before = len(recorder.up)
        client = self.s_client(port, "-quiet", *arguments)
        await self.until(lambda: len(recorder.up) > before or client.ended)
        self.assertFalse(client.ended, client.printed)
        association = recorder.up[-1]
        client.transport.write(asap(b"from you"))
        await self.until(lambda: recorder.data[-1:] == [asap(b"from you")] or client.ended)
        association.send(asap(b"from us!"))
        await self.until(lambda: asap(b"from us!") in client.printed)
        return association

    async def refused(self, port: int, recorder: Any, *arguments: str) -> str:
        """Their client gets nothing; gives what our log would say."""
        before = len(recorder.up)
        self.suspects.clear()
        client = self.s_client(port, *arguments)
        await self.until(lambda: client.ended and bool(self.suspects))
        self.assertEqual(before, len(recorder.up))
        return self.suspects[0]

    async def test_by_key(self) -> None:
        """An element with its key, in both versions; 1.2 with Diffie-Hellman."""
        port, recorder = self.listen(self.both())
        for version in VERSIONS:
            association = await self.served(port, recorder, f"-tls{version}", *BY_KEY)
            self.assertEqual((Identity("psk", KEY.name),), association.credentials)
        association = await self.served(port, recorder, "-tls1_2", "-cipher", "ECDHE-PSK-AES128-CBC-SHA256", *BY_KEY)
        self.assertEqual((Identity("psk", KEY.name),), association.credentials)

    async def test_by_certificate(self) -> None:
        """A user that checks our certificate and its name, in both versions."""
        port, recorder = self.listen(self.both())
        for version in VERSIONS:
            association = await self.served(
                port, recorder, f"-tls{version}", "-CAfile", self.anchors(), "-verify_return_error",
                "-verify_hostname", NAME,
            )  # fmt: skip
            self.assertEqual((), association.credentials)

    async def test_with_a_certificate(self) -> None:
        """A user that has one itself; and one that nobody trusts."""
        port, recorder = self.listen(self.both(anchors=authority().pem))
        mine, forged = certificate("user.example"), Authority("stranger").issue("user.example")
        for version in VERSIONS:
            association = await self.served(port, recorder, f"-tls{version}", *self.shown(mine))
            self.assertEqual(tuple(dns("user.example")), association.credentials)
            said = await self.refused(port, recorder, f"-tls{version}", *self.shown(forged))
            self.assertIn("we do not take its certificate", said)

    async def test_wrong_keys(self) -> None:
        """An unknown identity, and another's secret, get nothing: not as nobody either, where we have a certificate."""
        port, recorder = self.listen(self.both())
        for version in VERSIONS:
            unknown = ("-psk", KEY.secret.hex(), "-psk_identity", "stranger")
            self.assertIn("'stranger'", await self.refused(port, recorder, f"-tls{version}", *unknown))
            secret = ("-psk", "00" * 16, "-psk_identity", KEY.name)
            self.assertIn("its key is", await self.refused(port, recorder, f"-tls{version}", *secret))
        port, recorder = self.listen(Terms(True, certificate=certificate(NAME)))
        for version in VERSIONS:
            said = await self.refused(port, recorder, f"-tls{version}", *BY_KEY)
            self.assertIn("keys are not taken here", said)

    async def test_weak(self) -> None:
        """Old versions, keys without Diffie-Hellman, no encryption, static RSA."""
        port, recorder = self.listen(self.both())
        old = ("-cipher", "DEFAULT:@SECLEVEL=0")
        for arguments in (
            ("-tls1_1", *old),
            ("-tls1", *old),
            ("-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256", *BY_KEY),
            ("-tls1_2", "-cipher", "RSA-PSK-AES128-GCM-SHA256", *BY_KEY),
            ("-tls1_2", "-cipher", "ECDHE-PSK-NULL-SHA256:@SECLEVEL=0", *BY_KEY),
            ("-tls1_2", "-cipher", "AES128-SHA"),
            ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"),
        ):
            self.assertTrue(await self.refused(port, recorder, *arguments))

    async def test_static_rsa(self) -> None:
        """TLS_RSA_WITH_AES_128_CBC_SHA, where somebody wants it (RFC 5352 section 9.2)."""
        shown = certificate(NAME, use_rsa=True)
        port, recorder = self.listen(Terms(True, certificate=shown, static_rsa=True))
        await self.served(port, recorder, "-tls1_2", "-cipher", "AES128-SHA")

    async def test_no_resumption(self) -> None:
        """What one connection leaves behind opens no other one."""
        port, recorder = self.listen(self.both())
        for version in VERSIONS:
            for number, key in enumerate(((), BY_KEY)):
                kept = self.mktemp()
                client = self.s_client(port, f"-tls{version}", "-sess_out", kept, *key)
                await self.until(lambda version=version, number=number: len(recorder.up) > number)  # type: ignore[misc]
                client.transport.write(asap(b"once"))
                await self.until(lambda: bool(recorder.received))
                client.transport.closeStdin()
                await self.until(lambda client=client: client.ended)  # type: ignore[misc]
                before = len(recorder.up)
                again = self.s_client(port, f"-tls{version}", "-sess_in", kept)
                again.transport.closeStdin()
                await self.until(lambda again=again: again.ended)  # type: ignore[misc]
                self.assertFalse(b"\nReused" in again.printed and len(recorder.up) > before)
            recorder.up.clear()
            recorder.received.clear()

    async def test_no_renegotiation(self) -> None:
        """In TLS 1.2 a handshake is done once."""
        port, recorder = self.listen(self.both())
        client = self.s_client(port, "-tls1_2")
        await self.until(lambda: bool(recorder.up))
        client.transport.write(b"R\n")
        await self.until(lambda: client.ended or b"no renegotiation" in client.printed.lower())
        self.assertIn(b"no renegotiation", client.printed.lower())

    async def test_one_by_one(self) -> None:
        """One port serves both; nobody disturbs another."""
        port, recorder = self.listen(Terms(True, find=nobody, certificate=certificate(NAME)))
        kept = await self.served(port, recorder)
        await self.refused(port, recorder, *BY_KEY)
        await self.served(port, recorder)
        self.assertTrue(kept.established)


class ServerTests(OpenSslCase):
    """Our client at s_server."""

    async def test_by_key(self) -> None:
        """With our key, in both versions."""
        for version in VERSIONS:
            server, port = await self.s_server("-nocert", f"-tls{version}", *BY_KEY)
            association, recorder = self.connect(port, Terms(False, own=KEY))
            association.send(asap(b"to them!"))
            await self.until(lambda server=server: asap(b"to them!") in server.printed)  # type: ignore[misc]
            self.assertEqual((Identity("psk", KEY.name),), association.credentials)
            association.close()
            await self.until(lambda recorder=recorder: bool(recorder.lost))  # type: ignore[misc]

    async def test_by_certificate(self) -> None:
        """With a certificate for the name that was expected, in both versions."""
        for version in VERSIONS:
            server, port = await self.s_server(f"-tls{version}", *self.shown(certificate(NAME)))
            association, _ = self.connect(port, Terms(False, anchors=authority().pem), *dns(NAME))
            association.send(asap(b"to them!"))
            await self.until(lambda server=server: asap(b"to them!") in server.printed)  # type: ignore[misc]
            self.assertEqual(tuple(dns(NAME)), association.credentials)
            association.close()

    async def suspect(self, terms: Terms, *arguments: str) -> str:
        """Our client does not take their server for whom it looks for; gives why."""
        _, port = await self.s_server(*arguments)
        association, recorder = self.connect(port, terms, *dns(NAME))
        association.send(asap(b"a secret"))
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([], recorder.up)
        self.assertFalse(association.established)
        return str(recorder.lost[0][1].value)

    async def test_rogue_with_any_certificate(self) -> None:
        """A server that ignores our key and shows a certificate, ours or not."""
        client = Terms(False, own=KEY)
        for version in VERSIONS:
            for shown in (certificate(NAME, use_rsa=True), Authority("stranger").issue("stranger.example")):
                said = await self.suspect(client, f"-tls{version}", *self.shown(shown))
                self.assertRegex(said, "it did not use our key|the peer refuses|ended the connection")

    async def test_rogue_with_another_key(self) -> None:
        """A server that has another key by our name."""
        other = ("-psk", "00" * 16, "-psk_identity", KEY.name)
        for version in VERSIONS:
            said = await self.suspect(Terms(False, own=KEY), "-nocert", f"-tls{version}", *other)
            self.assertRegex(said, "the peer refuses|ended the connection")

    async def test_wrong_certificates(self) -> None:
        """Another's name, expired, signed by itself, by a stranger."""
        user = Terms(False, anchors=authority().pem)
        for shown, why in (
            (certificate("reg2.pool.example"), "its identity is suspect: .*dns:reg2.pool.example"),
            (certificate(), "its identity is suspect"),
            (certificate(NAME, expired=True), "certificate has expired"),
            (Authority("stranger").issue(NAME), "issuer"),
            (Authority("itself").own(NAME), "self-signed"),
        ):
            for version in VERSIONS:
                self.assertRegex(await self.suspect(user, f"-tls{version}", *self.shown(shown)), why)

    async def test_old_version(self) -> None:
        """A server that is content with TLS 1.1 is none."""
        old = ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
        said = await self.suspect(Terms(False, anchors=authority().pem), *old, *self.shown(certificate(NAME)))
        self.assertIn("none of our TLS versions", said)
