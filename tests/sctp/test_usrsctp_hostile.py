"""What arrives at the UDP ports of usrsctp and is no SCTP of a peer (RFC 6951 section 5)."""

from __future__ import annotations

import os
import socket
import struct
from random import Random
from typing import Any

from twisted.internet.error import ConnectionLost

from rserpool.sctp.base import MAX_MESSAGE
from rserpool.sctp.usrsctp.peers import OF_ONE, SPARE
from tests.sctp.usrsctp_case import UsrsctpTestCase


class HostileTests(UsrsctpTestCase):
    """What strangers send to the UDP port disturbs nobody."""

    async def _alive(self, association: Any, recorder: Any) -> None:
        seen = len(recorder.received)
        association.send(b"alive")
        await self.until(lambda: len(recorder.received) > seen)

    async def test_garbage(self) -> None:
        """Random datagrams, short and long, and datagrams that look like SCTP with a good checksum."""
        association, connecting, accepted, accepting = await self.pair()
        endpoint = accepted.endpoint
        engine = endpoint.engine
        random = Random(5)
        stranger = self.udp("127.0.0.1")
        target = ("127.0.0.1", endpoint.udp_sockets[0].port)
        for size in [0, 1, 11, 12, 13, 15, 16, 17, *(random.randrange(2000) for _ in range(200)), 65000]:
            stranger.sendto(random.randbytes(size), target)
        await self._alive(association, accepting)
        for turn in range(1500):
            start = struct.pack("!HHI", random.choice((endpoint.port, 9)), endpoint.port, random.choice((0, 77)))
            chunks = b""
            for _ in range(random.randrange(1, 4)):
                body = random.randbytes(random.choice((0, 4, 16, 20, 40, 200)))
                length = random.choice((4 + len(body), 4 + len(body), random.randrange(300)))
                kind = random.choice((*range(15), 0x80, 0xC0, 0xC1, random.randrange(256)))
                chunks += struct.pack("!BBH", kind, random.choice((0, 1, 3, 255)), length) + body
            whole = start + bytes(4) + chunks
            checksum = engine.library.lib.usrsctp_crc32c(whole, len(whole))
            stranger.sendto(start + struct.pack("=I", checksum) + chunks, target)
            if turn % 50 == 0:
                await self._alive(association, accepting)
        await self._alive(accepted, connecting)
        self.assertEqual(([], 1), (accepting.lost, endpoint.associations))

    async def test_flood(self) -> None:
        """Set-ups from thousands of forged addresses are answered and forgotten: nothing grows."""
        association, _, accepted, accepting = await self.pair()
        endpoint = accepted.endpoint
        engine = endpoint.engine
        target = ("127.0.0.1", endpoint.udp_sockets[0].port)
        init = struct.pack("!BBHIIHHI", 1, 0, 20, 1234, 65536, 10, 10, 1)
        start = struct.pack("!HHI", 5000, endpoint.port, 0)
        whole = start + bytes(4) + init
        packet = start + struct.pack("=I", engine.library.lib.usrsctp_crc32c(whole, len(whole))) + init
        for turn in range(3 * OF_ONE):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.bind((f"127.1.{turn // 250}.{turn % 250 + 1}", 0))
                stranger.sendto(packet, target)
                if turn % 50 == 0:
                    await self._alive(association, accepting)
        await self._alive(association, accepting)
        self.assertLessEqual(len(engine.peers.by_handle), SPARE + 2)
        self.assertGreaterEqual(len(engine.peers.by_handle), OF_ONE)
        self.assertEqual(1, endpoint.associations)

    async def test_forged_icmp(self) -> None:
        """An ICMP error that quotes a packet we did not send, with a wrong tag, ends nothing."""
        association, connecting, accepted, accepting = await self.pair()
        engine = accepted.endpoint.engine
        quoted = (
            struct.pack("!HHII", accepted.endpoint.port, accepted.peer.port, 0xDEADBEEF, 0) + b"\0\3\0\x10" + bytes(12)
        )
        for peer in list(engine.peers.by_handle.values()):
            for packet in (b"", b"\0", quoted[:8], quoted[:12], quoted[:16], quoted):
                engine.port_unreachable(peer, packet)
        await self._alive(association, accepting)
        self.assertEqual(([], []), (accepting.lost, connecting.lost))

    async def test_forged_init(self) -> None:
        """An INIT with wrong values, forged with a peer's address, does not end the association with it."""
        association, connecting, accepted, accepting = await self.pair()
        endpoint = accepted.endpoint
        # The peer's own UDP socket plays the forger.
        ours = association.endpoint.udp_sockets[0].fileno()
        auth = struct.pack("!HH", 0x8003, 5) + b"\xc1" + bytes(3)
        asconf = struct.pack("!HH", 0x8008, 6) + b"\xc1\x80" + bytes(2)
        whole = struct.pack("!BBHIIHHI", 1, 0, 20, 1234, 65536, 10, 10, 1)
        for chunk in (
            struct.pack("!BBHIIHHI", 1, 0, 19, 1234, 65536, 10, 10, 1),
            struct.pack("!BBHIIHHI", 1, 0, 20, 0, 65536, 10, 10, 1),
            struct.pack("!BBHIIHHI", 1, 0, 20, 1234, 100, 10, 10, 1),
            struct.pack("!BBHIIHHI", 1, 0, 20, 1234, 65536, 0, 10, 1),
            struct.pack("!BBHIIHHI", 1, 0, 20, 1234, 65536, 10, 0, 1),
            struct.pack("!BBH", 1, 0, 28) + whole[4:] + auth,
            struct.pack("!BBH", 1, 0, 28) + whole[4:] + asconf,
            struct.pack("!BBH", 1, 0, 24) + whole[4:] + struct.pack("!HH", 5, 3),
            whole[:12],
            whole,
        ):
            start = struct.pack("!HHI", association.endpoint.port, endpoint.port, 0)
            packet = start + bytes(4) + chunk
            checksum = endpoint.engine.library.lib.usrsctp_crc32c(packet, len(packet))
            with socket.socket(fileno=os.dup(ours)) as forger:
                forger.sendto(start + struct.pack("=I", checksum) + chunk, ("127.0.0.1", endpoint.udp_sockets[0].port))
            await self._alive(association, accepting)
        self.assertEqual(([], []), (accepting.lost, connecting.lost))

    async def test_too_long(self) -> None:
        """A peer that sends a longer message than anybody may send loses its association."""
        association, connecting, accepted, accepting = await self.pair()
        for size in (MAX_MESSAGE + 1, 3 * MAX_MESSAGE):
            association.put(bytes(size), 0, 0, False)
        await self.until(lambda: bool(accepting.lost and connecting.lost))
        self.assertEqual(([], [ConnectionLost]), (accepting.received, connecting.reasons))
