"""Contract of the SCTP backends: messages, and backpressure (RFC 9260 section 6)."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionLost,
)

from rserpool.sctp.base import HIGH_WATER, MAX_MESSAGE, PPID_ASAP, PPID_ENRP, SEND_LIMIT, STREAMS
from tests.sctp.harness import SctpHarness


class MessageContract(SctpHarness):
    """Messages."""

    async def test_boundaries(self) -> None:
        """Messages of 1 to 65,536 bytes arrive whole and in order, both ways."""
        association, connecting, accepted, accepting = await self.pair()
        messages = [
            bytes([i]) * size for i, size in enumerate((1, 2, 3, 4, 1451, 1452, 1453, 9000, 65535, MAX_MESSAGE, 1))
        ]
        for message in messages:
            association.send(message)
            accepted.send(message[::-1])
        await self.until(lambda: len(accepting.received) == len(connecting.received) == len(messages))
        self.assertEqual(messages, accepting.data)
        self.assertEqual(messages, connecting.data)

    async def test_whatever_bytes(self) -> None:
        """A message is bytes: zeros, all values, text of no encoding."""
        association, _, _, accepting = await self.pair()
        messages = [bytes(100), bytes(range(256)) * 20, b"\xff\xfe\x80"]
        for message in messages:
            association.send(message)
        await self.until(lambda: len(accepting.received) == len(messages))
        self.assertEqual(messages, accepting.data)

    async def test_ppid_stream_unordered(self) -> None:
        """PPID (host order), stream and the unordered flag arrive with each message."""
        association, _, _, accepting = await self.pair()
        messages = [
            (b"a", PPID_ASAP, 0, False),
            (b"b", PPID_ENRP, 1, False),
            (b"c", 0xFEDCBA98, STREAMS - 1, False),
            (b"d", 0, 2, True),
        ]
        for message in messages:
            association.send(*message)
        await self.until(lambda: len(accepting.received) == len(messages))
        self.assertEqual([self.seen(*message) for message in messages], sorted(accepting.received))

    async def test_order_in_each_stream(self) -> None:
        """Within a stream, order is kept; nothing is lost or doubled."""
        association, _, _, accepting = await self.pair()
        for i in range(400):
            association.send(f"{i}".encode() * (i % 7 * 300 + 1), 0, i % 4)
        await self.until(lambda: len(accepting.received) == 400)
        sent = [self.seen(f"{i}".encode() * (i % 7 * 300 + 1), 0, i % 4, False) for i in range(400)]
        for stream in range(4):
            self.assertEqual(
                [message for message in sent if message[2] == stream],
                [message for message in accepting.received if message[2] == stream],
            )

    async def test_several(self) -> None:
        """What is sent together arrives message by message, before and behind what is sent alone."""
        association, _, _, accepting = await self.pair()
        several = [bytes([i]) * size for i, size in enumerate((1, 100, 1452, 3, 9000, 4, MAX_MESSAGE, 1, 1))]
        association.sendAll(several, PPID_ASAP)
        association.sendAll([], PPID_ASAP)
        association.send(b"alone", PPID_ENRP)
        association.sendAll(several[:2], PPID_ENRP)
        await self.until(lambda: len(accepting.received) == len(several) + 3)
        expected = [*((data, PPID_ASAP) for data in several), *((data, PPID_ENRP) for data in (b"alone", *several[:2]))]
        self.assertEqual([self.seen(data, ppid, 0, False) for data, ppid in expected], accepting.received)

    async def test_several_before_it_is_up_and_when_it_is_over(self) -> None:
        server, accepting = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        association.sendAll([b"a", b"b"])
        self.assertRaises(ValueError, association.sendAll, [b"c", b""])
        self.assertRaises(TypeError, association.sendAll, [b"c", "d", b"e"])
        await self.until(lambda: len(accepting.received) == 2)
        association.close()
        association.sendAll([b"too", b"late"])
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual([b"a", b"b"], accepting.data)

    async def test_not_sendable(self) -> None:
        """What cannot be a message is refused loudly, and the association does not suffer."""
        association, _, _, accepting = await self.pair()
        self.assertRaises(ValueError, association.send, b"")
        self.assertRaises(ValueError, association.send, bytes(MAX_MESSAGE + 1))
        self.assertRaises(ValueError, association.send, b"x", 0, STREAMS)
        self.assertRaises(ValueError, association.send, b"x", 0, -1)
        association.send(b"fine")
        await self.until(lambda: bool(accepting.received))
        self.assertEqual([b"fine"], accepting.data)

    async def test_sent_before_up(self) -> None:
        """What is sent before the association is up waits, counts as buffered, and comes first."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        association.send(b"early", PPID_ASAP, 3)
        association.send(b"bird", PPID_ASAP, 3)
        self.assertEqual(9, association.buffered)
        connecting.on_up = lambda association: association.send(b"late", PPID_ASAP, 3)
        await self.until(lambda: len(accepting.received) == 3)
        expected = [self.seen(data, PPID_ASAP, 3, False) for data in (b"early", b"bird", b"late")]
        self.assertEqual(expected, accepting.received)
        self.assertEqual(0, association.buffered)

    async def test_smoothed_round_trip(self) -> None:
        """How long it takes there and back is known while the association is up, at either end."""
        association, _, accepted, accepting = await self.pair()
        accepting.on_message = lambda association, data: association.send(data)
        association.send(b"there")
        await self.until(lambda: bool(accepting.received))
        for end in (association, accepted):
            self.assertIsInstance(end.smoothed_round_trip, float)
            self.assertTrue(0 <= end.smoothed_round_trip < 5, end.smoothed_round_trip)
        client, connecting = await self.open(listening=False)
        dialling = client.connect(self.address(client, 1))
        self.assertIsNone(dialling.smoothed_round_trip)
        await self.until(lambda: bool(connecting.lost))
        self.assertIsNone(dialling.smoothed_round_trip)

    async def test_many_associations(self) -> None:
        """One endpoint keeps its associations apart."""
        server, accepting = await self.open()
        accepting.on_message = lambda association, data: association.send(data + b" back")
        clients = [await self.open(listening=False) for _ in range(10)]
        for number, (client, _) in enumerate(clients):
            client.connect(self.address(server)).send(f"{number}".encode())
        await self.until(lambda: all(connecting.received for _, connecting in clients))
        self.assertEqual([[f"{number} back".encode()] for number in range(10)], [each.data for _, each in clients])
        self.assertEqual(10, server.associations)


class BackpressureContract(SctpHarness):
    """What a sender hears that is faster than its peer."""

    async def test_paused_and_resumed(self) -> None:
        """A sender that is faster than the network is paused, and resumed once all but a little has gone."""
        association, connecting, _, accepting = await self.pair()
        count = 0
        while not connecting.pressure:
            self.assertLess(association.buffered, HIGH_WATER + MAX_MESSAGE)
            association.send(bytes([count % 256]) * MAX_MESSAGE)
            count += 1
        self.assertEqual(["paused"], connecting.pressure)
        self.assertGreater(association.buffered, HIGH_WATER)
        await self.until(lambda: len(connecting.pressure) == 2 and len(accepting.received) == count)
        self.assertEqual(["paused", "resumed"], connecting.pressure)
        self.assertEqual([bytes([i % 256]) * MAX_MESSAGE for i in range(count)], accepting.data)
        self.assertEqual(0, association.buffered)

    async def test_send_limit(self) -> None:
        """A sender that does not heed the pause loses the association, not the process its memory."""
        association, connecting, _, accepting = await self.pair()
        message = bytes(MAX_MESSAGE)
        # The stack takes some; 64 MiB is more than any stack does.
        for _ in range(4 * SEND_LIMIT // MAX_MESSAGE):
            association.send(message)
            self.assertLessEqual(association.buffered, SEND_LIMIT)
        self.assertFalse(association.established)
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (connecting.reasons, accepting.reasons))
