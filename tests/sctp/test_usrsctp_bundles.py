"""What is sent at once goes out in few packets (RFC 9260 section 6.10): those of a TLS handshake are put together."""

from __future__ import annotations

import struct

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import RFC
from rserpool.sctp.tls.endpoint import TlsStack
from rserpool.sctp.tls.handshakes import AT_ONCE
from rserpool.sctp.usrsctp.bundle import MOST, Bundle
from rserpool.sctp.usrsctp.library import load
from rserpool.sctp.usrsctp.packets import sound
from rserpool.sctp.usrsctp.peers import UdpPeer
from tests.sctp.relay import DATA, SACK, Path, chunks
from tests.sctp.tls_case import tls_channel
from tests.sctp.usrsctp_case import UsrsctpTestCase
from tests.security.pair import long_hellos

INIT, INIT_ACK, ABORT, COOKIE_ECHO = 1, 2, 6, 10


def a_peer() -> UdpPeer:
    return UdpPeer(1, {}, ("127.0.0.1", 9899), lambda data, address: None, "127.0.0.1", 9899, "127.0.0.1")


def packet(kind: int, length: int = 4, tag: bytes = b"tag1") -> bytes:
    """A packet with one chunk and no checksum."""
    return b"\0\1\0\2" + tag + bytes(4) + bytes([kind, 0]) + length.to_bytes(2, "big") + bytes(length - 4)


class BundleTests(SynchronousTestCase):
    """Which packets are put together."""

    def out(self, *packets: bytes | tuple[UdpPeer, bytes]) -> list[list[int]]:
        """The chunks of the packets that go out."""
        bundle, peer = Bundle(), a_peer()
        for each in packets:
            bundle.add(*(each if isinstance(each, tuple) else (peer, each)))
        self.sent = [data for _, data in bundle.packets(load())]
        return [list(chunks(data)) for data in self.sent]

    def test_one_flight(self) -> None:
        """Data follows data, and what acknowledges comes first."""
        self.assertEqual([[SACK, DATA, DATA]], self.out(packet(SACK, 16), packet(DATA, 20), packet(DATA, 24)))
        self.assertTrue(sound(load(), self.sent[0]))

    def test_single(self) -> None:
        """What is alone goes out as it is."""
        alone = packet(DATA, 20)
        self.out(alone)
        self.assertEqual([alone], self.sent)

    def test_not_together(self) -> None:
        """An INIT ACK stays alone, and nothing but data comes behind data."""
        self.assertEqual([[INIT_ACK], [DATA]], self.out(packet(INIT_ACK, 20), packet(DATA, 20)))
        self.assertEqual([[DATA], [SACK]], self.out(packet(DATA, 20), packet(SACK, 16)))

    def test_between_others(self) -> None:
        """Those of several associations come in between one another: each has its own, in order."""
        one, other = packet(DATA, 20), packet(DATA, 20, b"tag2")
        self.assertEqual([[DATA, DATA], [DATA]], self.out(one, other, one))
        self.assertEqual([[DATA], [DATA]], self.out((a_peer(), one), (a_peer(), one)))

    def test_no_longer_than_every_path_takes(self) -> None:
        half = packet(DATA, MOST // 2)
        self.assertEqual([[DATA], [DATA, DATA]], self.out(half, half, packet(DATA, 8)))
        self.assertLessEqual(max(map(len, self.sent)), MOST)


class SeveralTests(UsrsctpTestCase):
    """Messages that are sent together."""

    host = "127.0.98.1"

    async def test_few_packets(self) -> None:
        """Full ones, and the last message waits for nothing; what is sent alone afterwards goes at once, too."""
        data: list[int] = []

        def passes(sent: bytes, forth: bool) -> bool:
            data.extend([list(chunks(sent)).count(DATA)] if forth else [])
            return True

        stack, other = await self.makeStack(self.host, profile=RFC), await self.makeStack(self.host, profile=RFC)
        accepting, connecting = self.recorder(), self.recorder()
        server = stack.open(0, accepting, (self.host,))
        client = other.open(0, connecting, (self.host,), listening=False)
        path = Path(reactor, self.host, stack.encapsulation_port, passes)
        self.addCleanup(path.stop)
        association = client.connect(TransportAddress((self.host,), server.port, path.port))
        await self.until(lambda: bool(connecting.up))
        for turn, several in enumerate(([bytes([i]) * 50 for i in range(1, 41)], [b"x", b"y"])):
            accepting.received.clear()
            data.clear()
            association.sendAll(several)
            association.send(b"alone")
            await self.until(lambda several=several: accepting.data == [*several, b"alone"])  # type: ignore[misc]
            self.assertEqual(len(several) + 1, sum(data))
            # Nothing is on its way when the first one is sent; then a full packet and what is left of it, and the last.
            self.assertLessEqual(len([count for count in data if count]), (5, 3)[turn])


class HandshakeTests(UsrsctpTestCase):
    """What passes between two ends."""

    host = "127.0.98.1"
    skip = long_hellos()

    async def test_two_packets_and_an_answer(self) -> None:
        """The server's records are in one packet; so is the client's last one with what it had to say."""
        data: list[tuple[bool, int]] = []

        def passes(sent: bytes, forth: bool) -> bool:
            count = list(chunks(sent)).count(DATA)
            if count:
                data.append((forth, count))
            return True

        stack = await self.makeStack(self.host, profile=RFC)
        there = TlsStack(reactor, await self.makeStack(self.host, profile=RFC), tls_channel())
        accepting, connecting = self.recorder(), self.recorder()
        server = TlsStack(reactor, stack, tls_channel()).open(0, accepting, (self.host,))
        client = there.open(0, connecting, (self.host,), listening=False)
        path = Path(reactor, self.host, stack.encapsulation_port, passes)
        self.addCleanup(path.stop)
        client.connect(TransportAddress((self.host,), server.port, path.port)).send(b"first")
        await self.until(lambda: accepting.data == [b"first"])
        # A ClientHello; ServerHello, EncryptedExtensions, Finished; Finished and a message.
        self.assertEqual([(True, 1), (False, 3), (True, 2)], data[:3])

    async def test_a_flight_is_acknowledged_with_what_answers_it(self) -> None:
        """Also where it comes later than the end of the set-up, since others' handshakes were first."""
        forth: dict[bytes, list[list[int]]] = {}

        def passes(sent: bytes, to_server: bool) -> bool:
            if to_server:
                forth.setdefault(sent[:2], []).append(list(chunks(sent)))
            return True

        stack = await self.makeStack(self.host, profile=RFC)
        there = TlsStack(reactor, await self.makeStack(self.host, profile=RFC), tls_channel())
        accepting = self.recorder()
        server = TlsStack(reactor, stack, tls_channel()).open(0, accepting, (self.host,))
        path = Path(reactor, self.host, stack.encapsulation_port, passes)
        self.addCleanup(path.stop)
        for _ in range(2 * AT_ONCE):
            client = there.open(0, self.recorder(), (self.host,), listening=False)
            client.connect(TransportAddress((self.host,), server.port, path.port)).send(b"first")
        await self.until(lambda: accepting.data == [b"first"] * 2 * AT_ONCE)
        self.assertEqual(
            {((INIT,), (COOKIE_ECHO, DATA), (SACK, DATA, DATA))},
            {tuple(map(tuple, each[:3])) for each in forth.values()},
        )

    async def test_where_nobody_has_the_port(self) -> None:
        """Several messages are answered at once also there: by an ABORT (RFC 9260 section 8.4)."""
        back: list[list[int]] = []

        def passes(sent: bytes, forth: bool) -> bool:
            if not forth:
                back.append(list(chunks(sent)))
            return True

        stack, other = await self.makeStack(self.host, profile=RFC), await self.makeStack(self.host, profile=RFC)
        accepting = self.recorder()
        server = stack.open(0, accepting, (self.host,))
        path = Path(reactor, self.host, stack.encapsulation_port, passes)
        self.addCleanup(path.stop)
        client = other.open(0, self.recorder(), (self.host,), listening=False)
        client.connect(TransportAddress((self.host,), server.port, path.port))
        await self.until(lambda: bool(accepting.up))
        two = packet(DATA, 20) + packet(DATA, 20)[12:]
        checksum = load().lib.usrsctp_crc32c(two, len(two))
        path.datagramReceived(two[:8] + struct.pack("=I", checksum) + two[12:], (self.host, other.encapsulation_port))
        await self.until(lambda: [ABORT] in back)
