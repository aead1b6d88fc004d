"""Strangers by the thousand at a UDP port of usrsctp: who wants an association gets one (RFC 6951 section 5)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

from rserpool.core.admission import Rate
from rserpool.sctp.usrsctp import peers
from rserpool.sctp.usrsctp.clock import AGAIN
from rserpool.sctp.usrsctp.packets import HEADER
from rserpool.sctp.usrsctp.peers import OF_ONE
from rserpool.sctp.usrsctp.udp import SETUPS
from tests.loglines import LogLines
from tests.sctp.usrsctp_case import UsrsctpTestCase

INIT, INIT_ACK, ABORT, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 1, 2, 6, 10, 11, 14


class Hand(DatagramProtocol):
    """Sends datagrams, and collects what comes back."""

    def __init__(self, noticed: Callable[[], None]) -> None:
        self.came: list[bytes] = []
        self._noticed = noticed

    @property
    def port(self) -> int:
        transport: Any = self.transport
        return int(transport.getHost().port)

    def send(self, packet: bytes, target: tuple[str, int]) -> None:
        transport: Any = self.transport
        transport.write(packet, target)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.came.append(datagram)
        self._noticed()


class NewcomerTests(UsrsctpTestCase):
    """An endpoint that listens, and sockets that speak to it by hand."""

    async def listening(self) -> Any:
        recorder = self.recorder()
        stack = await self.makeStack("127.0.0.1")
        self.endpoint = stack.open(5000, recorder, ("127.0.0.1",), True)
        self.target = ("127.0.0.1", self.endpoint.udp_sockets[0].port)
        return recorder

    def packet(self, tag: int, chunk: bytes, port: int = 5000) -> bytes:
        """A packet with a good checksum."""
        start, rest = struct.pack("!HHI", 4000, port, tag), chunk + bytes(-len(chunk) % 4)
        whole = start + bytes(4) + rest
        checksum = self.endpoint.engine.library.lib.usrsctp_crc32c(whole, len(whole))
        return start + struct.pack("=I", checksum) + rest

    def init(self, port: int = 5000) -> bytes:
        return self.packet(0, struct.pack("!BBHIIHHI", INIT, 0, 20, 1234, 65536, 10, 10, 1), port)

    def hand(self) -> Hand:
        """Somebody who speaks SCTP over UDP by hand."""
        hand = Hand(self._noticed)
        port: Any = reactor.listenUDP(0, hand, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        return hand

    async def answered(self, since: float) -> int:
        """The number of those that get an answer of many, if so long each turn was too short for all that came."""
        await self.listening()
        (reader,) = self.endpoint.udp_sockets
        strangers = [self.udp("127.0.0.1") for _ in range(3 * SETUPS)]
        for each in strangers:
            each.setblocking(False)
            each.sendto(self.init(), self.target)
        self.endpoint.engine.clock.unread[reader] = monotonic() - since
        reader.doRead()
        return sum(map(_has_answer, strangers))

    async def test_behind(self) -> None:
        """Few begin: the others send their INIT again."""
        self.assertEqual(SETUPS, await self.answered(2 * AGAIN))

    async def test_just_many(self) -> None:
        """More than a turn is no reason yet."""
        self.assertEqual(3 * SETUPS, await self.answered(0.0))

    async def answer(self, hand: Hand, packet: bytes) -> bytes:
        """What comes back."""
        before = len(hand.came)
        hand.send(packet, self.target)
        await self.until(lambda: len(hand.came) > before)
        return hand.came[before]

    def echo(self, answer: bytes) -> bytes:
        """The cookie of an INIT ACK, echoed."""
        self.assertEqual(answer[HEADER], INIT_ACK)
        (tag,) = struct.unpack_from("!I", answer, HEADER + 4)
        at = HEADER + 20
        while True:
            kind, length = struct.unpack_from("!HH", answer, at)
            if kind == 7:
                break
            at += length + 3 & ~3
        cookie = answer[at + 4 : at + length]
        return self.packet(tag, struct.pack("!BBH", COOKIE_ECHO, 0, 4 + len(cookie)) + cookie)

    async def others(self, number: int, datagram: bytes) -> None:
        """As many others, each with a UDP port of its own, send this."""
        sent = [self.udp("127.0.0.1") for _ in range(number)]
        for stranger in sent:
            stranger.sendto(datagram, self.target)
        # One packet later all were read.
        await self.answer(self.hand(), self.init(9))
        for stranger in sent:
            stranger.close()

    async def test_set_up_among_many(self) -> None:
        """Between the two steps of a set-up 600 others begin one, as 12,000 a second do at a round trip of 50 ms."""
        recorder = await self.listening()
        user = self.hand()
        echo = self.echo(await self.answer(user, self.init()))
        await self.others(600, self.init())
        self.assertEqual((await self.answer(user, echo))[HEADER], COOKIE_ACK)
        self.assertEqual([each.peer.encapsulation for each in recorder.up], [user.port])
        self.endpoint.abort()

    async def test_garbage(self) -> None:
        """What is no INIT takes no place, whoever sends it, and has no answer if it is no SCTP."""
        await self.listening()
        await self.others(600, b"garbage of some length, and more")
        await self.others(600, self.packet(7, struct.pack("!BBHIHHI", 0, 3, 17, 1, 0, 0, 0) + b"!"))
        await self.others(600, self.init(9))
        self.assertEqual(len(self.endpoint.engine.peers.by_handle), 0)

    async def test_out_of_the_blue(self) -> None:
        """Each packet of nobody is answered as RFC 9260 section 8.4 has it."""
        await self.listening()
        for kind, expected in ((0, ABORT), (COOKIE_ECHO, ABORT), (8, SHUTDOWN_COMPLETE), (4, ABORT)):
            answer = await self.answer(self.hand(), self.packet(7, struct.pack("!BBH", kind, 0, 20) + bytes(16)))
            self.assertEqual((answer[HEADER], answer[HEADER + 1], answer[4:8]), (expected, 1, struct.pack("!I", 7)))
        for kind in (ABORT, 9, COOKIE_ACK, SHUTDOWN_COMPLETE):
            hand = self.hand()
            hand.send(self.packet(7, struct.pack("!BBH", kind, 0, 4)), self.target)
            answer = await self.answer(hand, self.packet(8, struct.pack("!BBH", 0, 0, 4)))
            self.assertEqual(answer[4:8], struct.pack("!I", 8))

    async def test_too_fast(self) -> None:
        """Beyond 1,024 a second new ones of one machine have to try again; a line of the log says so."""
        await self.listening()
        engine = self.endpoint.engine
        engine.peers.rate = Rate(10, 20)
        log = LogLines(self)
        await self.others(100, self.init())
        self.assertEqual(len(engine.peers.by_handle), 10)
        self.assertEqual(len([line for line in log.lines if f"new peers than {OF_ONE} a second" in line]), 1)

    async def test_cookie_of_another(self) -> None:
        """A cookie names the handle of who began the set-up: it is of no use when that is somebody else's."""
        self.patch(peers, "SPARE", 1)
        recorder = await self.listening()
        attacker, victim = self.hand(), self.hand()
        echo = self.echo(await self.answer(attacker, self.init()))
        await self.answer(victim, self.init())
        self.patch(peers, "SPARE", 10)
        await self.answer(attacker, self.init())
        attacker.send(echo, self.target)
        await self.others(1, self.init())
        self.assertEqual(recorder.up, [])
        self.assertEqual(self.endpoint.associations, 0)


def _has_answer(udp: socket.socket) -> bool:
    try:
        return bool(udp.recv(2048))
    except BlockingIOError:
        return False
