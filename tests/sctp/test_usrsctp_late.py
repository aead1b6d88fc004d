"""A process that is late takes nobody else for late: what came is read before the library's time passes."""

from __future__ import annotations

from math import inf
from typing import Any

from rserpool.core import TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.sctp.base import A_TURN
from rserpool.sctp.usrsctp.pace import DATA, TICK
from tests.sctp.relay import chunks
from tests.sctp.usrsctp_case import UsrsctpTestCase

STALLED = 0.5
"""Seconds; longer than the longest RTO."""


class LateTests(UsrsctpTestCase):
    host = "127.0.95.1"

    async def setUpPair(self) -> Any:
        stack: Any = await self.makeStack(self.host)
        self.engine = stack.engine
        self.clock = stack.engine.clock
        self.accepting = self.recorder()
        server = stack.open(0, self.accepting, (self.host,))
        client = stack.open(0, self.recorder(), (self.host,), listening=False)
        association = client.connect(TransportAddress((self.host,), server.port, stack.encapsulation_port))
        await self.until(lambda: association.established and bool(self.accepting.up))
        (self.reader,) = self.clock.unread
        return association

    def tick(self) -> int:
        """As if the process had stood still, and the clock were looked at first: how often data went out."""
        sent: list[bytes] = []
        self.engine.sent = sent
        self.clock.now -= STALLED
        self.clock.alarm._rings()
        self.engine.sent = None
        return sum(DATA in chunks(packet) for packet in sent)

    def move_finely(self) -> None:
        if self.clock.pace.coarse:
            self.clock.awake()
            self.clock.pace.coarse = False

    async def test_stood_still(self) -> None:
        """The acknowledgement lies unread: it is read first, and nothing is sent again."""
        association = await self.setUpPair()
        self.move_finely()
        association.send(b"here")
        self.reader.doRead()
        self.assertEqual([b"here"], self.accepting.data)
        self.clock.now -= DEFAULT.sack_delay + TICK
        self.clock.show()  # the acknowledgement goes out
        self.assertEqual(0, self.tick())

    async def test_more_than_a_turn(self) -> None:
        """Time passes no faster than what came is read."""
        association = await self.setUpPair()
        self.move_finely()
        association.send(b"here")
        stranger = self.udp(self.host)
        for _ in range(4 * A_TURN):
            stranger.sendto(b"x", (self.host, self.reader.port))
        before = self.clock.ticks
        self.reader.doRead()
        self.tick()
        self.assertEqual((True, 1), (self.unread(), self.clock.ticks - before))
        while self.unread():
            self.reader.doRead()
        self.assertEqual([b"here"], self.accepting.data)

    async def test_exactly_a_turn(self) -> None:
        """Nothing is left: it is not taken for unread for ever."""
        await self.setUpPair()
        self.move_finely()
        self.clock.read(self.reader, False)
        self.assertTrue(self.unread())
        self.tick()
        self.assertFalse(self.unread())

    def unread(self) -> bool:
        return self.clock.unread[self.reader] < inf
