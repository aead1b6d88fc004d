"""Bytes that come in bulk pass within the kernel: all of them, in order, however it ends."""

from __future__ import annotations

import errno
import os
from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.tcp import Connection

from rserpool.proxy.bulk import FULL, Way
from tests.proxy.stage import Peer, ProxyCase

DATA = Random(1).randbytes(16 << 20)
"""More than all sockets between two peers take."""


class BulkTests(ProxyCase):
    """Real sockets."""

    def setUp(self) -> None:
        super().setUp()
        self.spliced: list[int] = []
        splice = os.splice

        def counted(*arguments: Any, **options: Any) -> int:
            self.spliced.append(splice(*arguments, **options))
            return self.spliced[-1]

        self.patch(os, "splice", counted)
        self.addCleanup(lambda: self.assertEqual(0, Way._pipes))

    def test_full(self) -> None:
        """What is called full is what Twisted reads at once."""
        self.assertEqual(Connection.bufferSize, FULL)

    async def both(self) -> tuple[Peer, Peer]:
        await self.peers()
        return await self.pair(await self.proxy())

    async def stuck(self) -> tuple[Peer, Peer]:
        """A client that reads a first bit, and an element that has sent so much that all is full."""
        client, element = await self.both()
        element.transport.write(DATA)
        await client.until(lambda: len(client.received) > 1 << 20)
        client.transport.pauseProducing()
        return client, element

    async def test_all(self) -> None:
        """A reader that stands still now and then gets everything, from either side."""
        client, element = await self.both()
        for writer, reader in ((client, element), (element, client)):
            self.spliced.clear()
            writer.transport.write(DATA)
            for share in (1, 2, 3, 4):
                await reader.until(lambda reader=reader, share=share: len(reader.received) >= share * len(DATA) // 4)
                reader.transport.pauseProducing()
                reader.transport.resumeProducing()
            self.assertEqual(DATA, reader.received)
            # Into the kernel, and out of it: most of it.
            self.assertGreater(sum(self.spliced), len(DATA))

    async def test_much_and_little(self) -> None:
        """Sizes of all kinds, in both directions at once."""
        client, element = await self.both()
        sent = {client: bytearray(), element: bytearray()}
        random = Random(2)
        for _ in range(40):
            for peer, other in ((client, element), (element, client)):
                part = random.randbytes(random.choice([1, 100, 5_000, 65_536, 131_072, 700_000]))
                sent[peer] += part
                peer.transport.write(part)
                if not random.randrange(3):
                    await other.until(lambda peer=peer, other=other: len(other.received) == len(sent[peer]))
        for peer, other in ((client, element), (element, client)):
            await other.until(lambda peer=peer, other=other: len(other.received) == len(sent[peer]))
            self.assertEqual(sent[peer], other.received)

    async def test_closed(self) -> None:
        """Who closes when everything is sent has it all arrive, and the other may answer."""
        client, element = await self.stuck()
        element.transport.loseWriteConnection()
        client.transport.resumeProducing()
        await client.until(lambda: client.half_closed)
        self.assertEqual(DATA, client.received)
        client.transport.write(b"thanks")
        client.transport.loseConnection()
        await element.until(lambda: element.half_closed)
        self.assertEqual(b"thanks", element.received)

    async def test_reset(self) -> None:
        """A reset in the midst is passed on as one, from either side."""
        for which in (0, 1):
            pair = await self.stuck()
            pair[which].transport.abortConnection()
            other = pair[1 - which]
            other.transport.resumeProducing()
            await other.ends()
            self.assertTrue(other.lost is not None and other.lost.check(ConnectionLost), other.lost)

    async def test_gone(self) -> None:
        """A client that closes in the midst, unread bytes before it, ends the element's connection."""
        client, element = await self.stuck()
        client.transport.loseConnection()
        await element.ends()
        assert element.lost is not None
        self.assertTrue(element.lost.check(ConnectionLost, ConnectionDone))

    async def test_no_descriptor(self) -> None:
        """Where no descriptor is left, or splice(2) is refused, the usual way serves."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError(errno.EINVAL, "no more")

        for where, name in ((os, "pipe2"), (os, "splice")):
            patched = self.patch(where, name, refuse)
            client, element = await self.both()
            element.transport.write(DATA[: 4 << 20])
            element.transport.loseConnection()
            await client.until(lambda client=client: client.half_closed)
            self.assertEqual(DATA[: 4 << 20], client.received)
            client.transport.loseConnection()
            await element.ends()
            patched.restore()
