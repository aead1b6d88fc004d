"""OpenSSL's own programs as peers: C{openssl s_client} and C{openssl s_server}."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol
from twisted.trial.unittest import TestCase

from rserpool.core import TransportAddress
from rserpool.core.identity import Identity
from rserpool.node.listening import listen_tcp
from rserpool.node.tcp import connect_tcp
from rserpool.node.tls_tcp import over_tls
from rserpool.sctp.tls.channel import Rule, Sides, TlsChannel
from rserpool.sctp.tls.framing import OwnLength
from rserpool.security.engine import TlsSide
from rserpool.security.settings import Certificate
from rserpool.security.way import Terms
from tests.sctp.harness import Recorder, SctpHarness
from tests.security.pair import authority

OPENSSL = shutil.which("openssl")


def asap(text: bytes) -> bytes:
    """What looks like an ASAP message, and can be found in what a program prints."""
    return b"\x0a\x00" + (4 + len(text)).to_bytes(2, "big") + text


class Program(ProcessProtocol):
    """A program, and what it printed.

    @ivar ended: whether it is over.
    """

    transport: Any

    def __init__(self, noticed: Any) -> None:
        self._noticed = noticed
        self.printed = b""
        self.ended = False

    def outReceived(self, data: bytes) -> None:
        self.printed += data
        self._noticed()

    errReceived = outReceived

    def processEnded(self, reason: Any) -> None:
        self.ended = True
        self._noticed()


class OpenSslCase(SctpHarness, TestCase):
    """With our port and client, and their programs."""

    timeout = 10

    if OPENSSL is None:
        skip = "there is no openssl"

    def setUp(self) -> None:
        super().setUp()
        # Why handshakes failed at our port.
        self.suspects: list[str] = []

    def failed(self, peer: str, host: str, why: str, now: float) -> None:
        """In place of L{rserpool.security.telling.Suspects}: all are told."""
        self.suspects.append(why)
        self._noticed()

    def program(self, *arguments: str) -> Program:
        """Start C{openssl}, which ends with the test."""
        program = Program(self._noticed)
        assert OPENSSL is not None
        reactor.spawnProcess(program, OPENSSL, [OPENSSL, *arguments], os.environ)  # type: ignore[attr-defined]

        async def end() -> None:
            if not program.ended:
                program.transport.signalProcess("KILL")
            await self.until(lambda: program.ended)

        self.addCleanup(lambda: self.finished(end()))
        return program

    def finished(self, coroutine: Any) -> Any:
        """A Deferred of it."""
        from twisted.internet.defer import Deferred

        return Deferred.fromCoroutine(coroutine)

    def file(self, data: bytes) -> str:
        """A file with this in it."""
        path = Path(self.mktemp())
        path.write_bytes(data)
        return str(path)

    def listen(self, terms: Terms, anonymous: bool = True) -> tuple[int, Recorder]:
        """Our port: its number, and who hears of connections."""
        recorder = self.recorder()
        sides = Sides(server=TlsSide(terms, anonymous))
        channel = TlsChannel(sides, Rule.SERVER, OwnLength(11), suspects=self)
        port: Any = listen_tcp(reactor, "127.0.0.1", 0, recorder, make=over_tls(channel))
        self.addCleanup(port.stopListening)
        return port.getHost().port, recorder

    def s_client(self, port: int, *arguments: str) -> Program:
        """Their client."""
        return self.program("s_client", "-connect", f"127.0.0.1:{port}", *arguments)

    async def s_server(self, *arguments: str) -> tuple[Program, int]:
        """Their server, and its port."""
        server = self.program("s_server", "-accept", "127.0.0.1:0", *arguments)
        await self.until(lambda: b"ACCEPT" in server.printed and server.printed.endswith(b"\n") or server.ended)
        self.assertFalse(server.ended, server.printed)
        return server, int(server.printed.split(b"ACCEPT")[1].split(b"\n")[0].rpartition(b":")[2])

    def connect(self, port: int, terms: Terms, *expected: Identity) -> tuple[Any, Recorder]:
        """Our client."""
        recorder = self.recorder()
        channel = TlsChannel(Sides(client=TlsSide(terms)), Rule.CLIENT, OwnLength(11))
        peer = TransportAddress(("127.0.0.1",), port, protocol="tcp")
        connection = connect_tcp(reactor, peer, recorder, make=over_tls(channel), expected=expected)
        self.addCleanup(lambda: self.finished(self.until(lambda: bool(recorder.lost))))
        self.addCleanup(connection.abort)
        return connection, recorder

    def shown(self, certificate: Certificate) -> list[str]:
        """The options by which s_server shows a certificate."""
        return ["-cert", self.file(certificate.chain), "-key", self.file(certificate.private_key)]

    def anchors(self) -> str:
        """A file with who issues certificates here."""
        return self.file(authority().pem)
