"""TLS over SCTP with a peer on another TLS library, GnuTLS: tests to mix into those of a backend (RFC 3436)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor

from rserpool.core import TransportAddress
from rserpool.core.identity import Identity
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.tls.channel import Rule, Sides, TlsChannel
from rserpool.sctp.tls.endpoint import TlsStack
from rserpool.sctp.tls.framing import OwnLength
from rserpool.sctp.tls.place import HandshakeFailed
from rserpool.security.records import each_record
from tests.sctp.harness import Recorder, SctpHarness
from tests.sctp.tls_case import SCOPE, by_certificate, by_key, tls_channel
from tests.security.gnutls import NAME, GnuTls, GnuTlsError
from tests.security.pair import KEY, authority, certificate

QUESTION = b"\x0a\x00\x00\x10from GnuTLS!"
ANSWER = b"\x0a\x00\x00\x0cthe same"
VERSIONS = ("1.2", "1.3")


def priority(version: str, key: bool = True) -> str:
    """What GnuTLS is to speak."""
    return f"NORMAL:-VERS-TLS-ALL:+VERS-TLS{version}" + (":-KX-ALL:+ECDHE-PSK:+DHE-PSK" if key else "")


class Foreigner(Recorder):
    """Speaks TLS by GnuTLS over an association in the clear.

    @ivar opened: what came in.
    @ivar failed_by: what GnuTLS says is wrong.
    """

    def __init__(self, noticed: Any, session: GnuTls, client: bool) -> None:
        super().__init__(noticed)
        self.opened = b""
        self.failed_by = ""
        self._session = session
        self._client = client

    def associationUp(self, association: Any) -> None:
        super().associationUp(association)
        if self._client:
            self._step(association, b"")

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self._step(association, data)
        super().messageReceived(association, data, ppid, stream, unordered)

    def say(self, data: bytes) -> None:
        """Send this."""
        self._put(self.up[-1], self._session.seal(data))

    def change_keys(self) -> None:
        """Other keys from now on."""
        self._put(self.up[-1], self._session.new_keys())

    def _step(self, association: Any, data: bytes) -> None:
        session = self._session
        try:
            if session.established:
                self.opened += session.open(data)
            else:
                session.handshake(data)
        except GnuTlsError as error:
            self.failed_by = self.failed_by or str(error)
            association.abort()
            return
        self._put(association, session.output())

    def _put(self, association: Any, records: bytes) -> None:
        for record in each_record(records):
            association.send(record, PPID_ASAP)


class GnuTlsContract(SctpHarness):
    """A peer that is not ours, at either end, over any backend."""

    clock: Any = reactor

    if NAME is None:
        skip = "there is no libgnutls"

    async def meet(self, session: GnuTls, sides: Sides, client: bool) -> tuple[Foreigner, Recorder]:
        """GnuTLS at one end, we at the other one; it is the client, or the server."""
        self.addCleanup(session.close)
        foreigner = Foreigner(self._noticed, session, client)
        beside = await self.stack()
        there = beside.open(0, foreigner, (self.host,))
        recorder = self.recorder()
        below = await self.stack()
        ours = TlsStack(self.clock, below, self.channel(sides)).open(0, recorder, (self.host,))
        if client:
            there.connect(TransportAddress((self.host,), ours.port, below.encapsulation_port))
        else:
            ours.connect(TransportAddress((self.host,), there.port, beside.encapsulation_port))
        await self.until(lambda: bool(recorder.up or recorder.lost or foreigner.failed_by or foreigner.lost))
        return foreigner, recorder

    def channel(self, sides: Sides) -> TlsChannel:
        """As for ASAP."""
        return tls_channel(sides=sides, framing=OwnLength(PPID_ASAP), rule=Rule.DIALLER)

    async def talk(self, foreigner: Foreigner, recorder: Recorder, credentials: object) -> None:
        """They hear each other."""
        self.assertEqual("", foreigner.failed_by)
        self.assertEqual([credentials], [association.credentials for association in recorder.up])
        recorder.up[0].send(ANSWER, PPID_ASAP)
        await self.until(lambda: foreigner.opened == ANSWER)
        foreigner.say(QUESTION)
        await self.until(lambda: recorder.data == [QUESTION])

    def keys(self) -> str:
        """A file with our key, as GnuTLS reads it."""
        path = Path(self.mktemp())
        path.write_text(f"{KEY.name}:{KEY.secret.hex()}\n")
        return str(path)

    async def test_client_by_key(self) -> None:
        """It dials, with a key."""
        for version in VERSIONS:
            session = GnuTls(False, priority(version))
            session.offer_key(KEY.name, KEY.secret)
            foreigner, recorder = await self.meet(session, by_key(), True)
            await self.talk(foreigner, recorder, (Identity("psk", KEY.name),))

    async def test_new_keys(self) -> None:
        """It changes the keys of TLS 1.3 in between, and asks us to do the same: again and again."""
        session = GnuTls(False, priority("1.3"))
        session.offer_key(KEY.name, KEY.secret)
        foreigner, recorder = await self.meet(session, by_key(), True)
        await self.talk(foreigner, recorder, (Identity("psk", KEY.name),))
        for count in range(2, 5):
            foreigner.change_keys()
            foreigner.say(QUESTION)
            await self.until(lambda count=count: recorder.data == [QUESTION] * count)  # type: ignore[misc]
            # The answer to the change travels before ours.
            recorder.up[0].send(ANSWER, PPID_ASAP)
            await self.until(lambda count=count: foreigner.opened == ANSWER * count)  # type: ignore[misc]

    async def test_server_by_key(self) -> None:
        """It is dialled, and knows our key."""
        for version in VERSIONS:
            session = GnuTls(True, priority(version))
            session.take_keys(self.keys())
            foreigner, recorder = await self.meet(session, by_key(), False)
            await self.talk(foreigner, recorder, (Identity("psk", KEY.name),))

    async def test_client_by_certificate(self) -> None:
        """It dials, and checks our certificate."""
        for version in VERSIONS:
            session = GnuTls(False, priority(version, key=False))
            session.trust(authority().pem, SCOPE)
            foreigner, recorder = await self.meet(session, by_certificate(), True)
            await self.talk(foreigner, recorder, ())

    async def test_server_by_certificate(self) -> None:
        """It is dialled, and shows the name of the scope."""
        for version in VERSIONS:
            session = GnuTls(True, priority(version, key=False))
            shown = certificate(SCOPE)
            session.show(shown.chain, shown.private_key)
            foreigner, recorder = await self.meet(session, by_certificate(), False)
            await self.talk(foreigner, recorder, (Identity("dns", SCOPE),))

    async def test_unknown_key(self) -> None:
        """It dials with a key that we do not know."""
        for version in VERSIONS:
            session = GnuTls(False, priority(version))
            session.offer_key("stranger", KEY.secret)
            foreigner, recorder = await self.meet(session, by_key(), True)
            await self.until(lambda foreigner=foreigner: bool(foreigner.lost))  # type: ignore[misc]
            self.assertEqual([], recorder.up)
            self.assertIn("alert", foreigner.failed_by)

    async def test_rogue_server(self) -> None:
        """It is dialled, does not care for our key, and shows a certificate."""
        for version in VERSIONS:
            session = GnuTls(True, priority(version, key=False))
            shown = certificate(SCOPE)
            session.show(shown.chain, shown.private_key)
            _, recorder = await self.meet(session, by_key(), False)
            await self.until(lambda recorder=recorder: bool(recorder.lost))  # type: ignore[misc]
            self.assertEqual(([], [HandshakeFailed]), (recorder.up, recorder.reasons))
