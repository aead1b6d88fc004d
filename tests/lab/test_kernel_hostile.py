"""Peers that break the kernel backend's peace: too long, never complete, never read (RFC 6458)."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.trial.unittest import TestCase

from rserpool.core import TransportAddress
from rserpool.sctp import open_stack
from rserpool.sctp.base import MAX_MESSAGE
from rserpool.sctp.kernel import options, waiting
from tests.lab import LabTests
from tests.sctp.harness import SctpHarness

SCTP_MAXSEG = 13
SO_SNDBUFFORCE = 32


class RawPeer:
    """A socket of the kernel's with nothing of ours around it."""

    def __init__(self, test: TestCase) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, options.IPPROTO_SCTP)
        test.addCleanup(self.socket.close)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 * 1024 * 1024)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(1)
        self.address = TransportAddress(("127.0.0.1",), self.socket.getsockname()[1])

    def send(self, endpoint: Any, data: bytes) -> None:
        """Send one message; the first sets the association up."""
        self.socket.sendto(data, ("127.0.0.1", endpoint.port))


class HostileTests(LabTests, SctpHarness, TestCase):
    """Only the association of the peer concerned suffers."""

    async def makeStack(self, *hosts: str) -> Any:
        return open_stack(reactor, backend="kernel", hosts=hosts)

    async def test_too_long(self) -> None:
        """A message of more than 64 KiB ends its association, is not kept, and disturbs no other."""
        association, _, _, accepting = await self.pair()
        peer = RawPeer(self)
        server = next(iter(self._stacks))
        for size in (MAX_MESSAGE + 1, 200_000, 1_000_000):
            before = len(accepting.lost)
            peer.send(server, bytes(size))
            await self.until(lambda before=before: len(accepting.lost) == before + 1)  # type: ignore[misc]
        self.assertEqual([ConnectionAborted] * 3, accepting.reasons)
        association.send(b"in peace")
        await self.until(lambda: bool(accepting.received))
        self.assertEqual([b"in peace"], accepting.data)

    async def test_longest(self) -> None:
        """One of just 64 KiB arrives, though the peer's path cuts it in pieces."""
        server, accepting = await self.open()
        peer = RawPeer(self)
        peer.socket.setsockopt(options.IPPROTO_SCTP, SCTP_MAXSEG, struct.pack("=iI", 0, 512))
        peer.send(server, bytes(range(256)) * 256)
        await self.until(lambda: bool(accepting.received))
        self.assertEqual([bytes(range(256)) * 256], accepting.data)

    async def test_floods(self) -> None:
        """Thousands of messages of one byte are read in turns: another association has its own."""
        association, _, _, accepting = await self.pair()
        server = next(iter(self._stacks))
        peer = RawPeer(self)
        for _ in range(3000):
            peer.send(server, b"x")
        association.send(b"between")
        await self.until(lambda: len(accepting.received) == 3001)
        self.assertEqual(1, accepting.data.count(b"between"))

    async def test_reads_nothing(self) -> None:
        """A peer that reads nothing fills the send buffer of all; the others get sockets of their own and go on."""
        server, sending = await self.open()
        deaf = RawPeer(self)
        stuck = server.connect(deaf.address)
        client, receiving = await self.open()
        client.connect(self.address(server))
        await self.until(lambda: len(sending.up) == 2)
        [free] = [association for association in sending.up if association is not stuck]
        while not stuck.buffered:
            stuck.send(bytes(60000))
        free.send(b"not for me alone")
        self.assertEqual(16, free.buffered)
        await self.until(lambda: bool(receiving.received))
        self.assertEqual(0, free.buffered)
        # What goes over its own socket goes both ways, and ends in either way.
        receiving.up[0].send(b"and back")
        await self.until(lambda: bool(sending.received))
        for i in range(50):
            free.send(b"%d" % i)
        await self.until(lambda: len(receiving.received) == 51)
        free.close()
        stuck.abort()
        await self.until(lambda: len(sending.lost) == 2 and bool(receiving.lost))
        self.assertEqual(0, server.associations)

    async def test_many_read_nothing(self) -> None:
        """Peers that read nothing get so many sockets of their own, not as many as they like: the one for which most
        waits is given up, and who reads goes on."""
        self.patch(waiting, "MOST_ALONE", 2)
        server, sending = await self.open()
        deaf = [RawPeer(self) for _ in range(4)]
        stuck = [server.connect(each.address) for each in deaf]
        client, receiving = await self.open()
        client.connect(self.address(server))
        await self.until(lambda: len(sending.up) == 5)
        for association in stuck:
            while not association.buffered:
                association.send(bytes(60000))
        await self.until(lambda: bool(sending.lost))
        self.assertLessEqual(sum(bool(each.socket.alone) and each.established for each in server.present), 2)
        [free] = [association for association in sending.up if association not in stuck]
        free.send(b"going on")
        await self.until(lambda: bool(receiving.received))

    async def test_process_ends(self) -> None:
        """A socket that is closed, as by the end of its process, aborts: its peer knows at once."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        client.connect(self.address(server))
        await self.until(lambda: bool(accepting.up and connecting.up))
        client.socket.close()
        await self.until(lambda: bool(accepting.lost))
        self.assertEqual([ConnectionLost], accepting.reasons)
