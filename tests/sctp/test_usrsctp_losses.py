"""What libusrsctp makes of lost packets where there is one path alone (RFC 9260 section 6.3, RFC 7829 section 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet import reactor

from rserpool.core import TransportAddress
from rserpool.core.admission import TokenBucket
from rserpool.core.profiles import FAST
from rserpool.sctp.usrsctp.engine import LESSONS
from tests.sctp.relay import DATA, HEARTBEAT, HEARTBEAT_ACK, INIT, Path, chunks
from tests.sctp.usrsctp_case import UsrsctpTestCase

PATIENT = replace(FAST, association_max_retransmissions=1000)
"""With this nobody is given up, however slow this machine is."""


class LossTests(UsrsctpTestCase):
    """A path that loses some packets, and always some."""

    host = "127.0.97.1"

    async def setUpPath(self, passes: Any) -> None:
        """An endpoint that listens, and one that dials it through a path."""
        stack = await self.makeStack(self.host, profile=PATIENT)
        other = await self.makeStack(self.host, profile=PATIENT)
        self.accepting, self.connecting = self.recorder(), self.recorder()
        server = stack.open(0, self.accepting, (self.host,))
        client = other.open(0, self.connecting, (self.host,), listening=False)
        self.path = Path(reactor, self.host, stack.encapsulation_port, passes)
        self.addCleanup(self.path.stop)
        self.association = client.connect(TransportAddress((self.host,), server.port, self.path.port))

    async def test_new_data_over_the_only_path(self) -> None:
        """After a loss, what is sent next goes out, too, though no heartbeat was answered."""
        lost: list[bytes] = []

        def passes(packet: bytes, forth: bool) -> bool:
            kinds = list(chunks(packet))
            if forth and DATA in kinds and b"first" in packet and not lost:
                lost.append(packet)
                return False
            # Of what answers, nothing that a heartbeat asked for.
            return not (forth and HEARTBEAT in kinds and DATA not in kinds) and HEARTBEAT_ACK not in kinds

        await self.setUpPath(passes)
        self.association.send(b"first")
        await self.until(lambda: self.accepting.data == [b"first"])
        for number in range(5):
            self.association.send(b"%d" % number)
            await self.until(lambda number=number: len(self.accepting.data) == number + 2)  # type: ignore[misc]
        self.assertEqual(([], []), (self.accepting.lost, self.connecting.lost))

    async def test_lost_at_the_set_up(self) -> None:
        """A set-up that took longer by a time-out is not taken for the round trip: heartbeats measure it anew."""
        seen: list[int] = []

        def passes(packet: bytes, forth: bool) -> bool:
            seen.extend(chunks(packet))
            self._noticed()
            return len(seen) > 1

        await self.setUpPath(passes)
        await self.until(lambda: seen.count(HEARTBEAT_ACK) >= LESSONS)
        self.association.send(b"first")
        await self.until(lambda: self.accepting.data == [b"first"])
        self.assertLess(self.association.smoothed_round_trip, FAST.rto_initial / 2)

    async def test_many_at_once(self) -> None:
        """Where the set-ups of many take long, not each of them is followed by dozens of heartbeats: that would keep
        what is slow from ever catching up."""
        seen: list[int] = []
        late: set[bytes] = set()

        def passes(packet: bytes, forth: bool) -> bool:
            seen.extend(chunks(packet))
            source = packet[:2]
            if INIT not in chunks(packet) or source in late:
                return True
            late.add(source)
            return False

        # No heartbeats but those.
        rare = replace(FAST, heartbeat_interval=3600.0)
        stack = await self.makeStack(self.host, profile=rare)
        accepting = self.recorder()
        server = stack.open(0, accepting, (self.host,))
        path = Path(reactor, self.host, stack.encapsulation_port, passes)
        self.addCleanup(path.stop)
        stack.engine.lessons = TokenBucket(0.0, 0.0, LESSONS + 1)
        there = TransportAddress((self.host,), server.port, path.port)
        clients = [stack.open(0, self.recorder(), (self.host,), listening=False).connect(there) for _ in range(3)]
        await self.until(lambda: all(client.established for client in clients))
        for client in clients:
            client.send(b"last")
        await self.until(lambda: accepting.data == [b"last"] * 3)
        self.assertEqual(3, len(late))
        # The library sends one over each of its own accord.
        self.assertIn(seen.count(HEARTBEAT), range(LESSONS + 1, LESSONS + 1 + 3 + 1))
