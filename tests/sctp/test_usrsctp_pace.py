"""How finely libusrsctp's clock moves: it stands still where nothing is due, and moves as soon as anything may be."""

from __future__ import annotations

from math import inf
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.sctp.usrsctp.crowd import FEW
from rserpool.sctp.usrsctp.pace import (
    DATA,
    HEARTBEAT,
    HEARTBEAT_ACK,
    INIT,
    LATE,
    SACK,
    TICK,
    Pace,
)
from tests.sctp.usrsctp_case import UsrsctpTestCase

PEER = 7
"""The handle of a peer."""
TAG = b"ours"
IDLE = 1.0
SACKED = round(DEFAULT.sack_delay + LATE, 6)
LOST = round(DEFAULT.rto_min + LATE, 6)


def packet(*kinds: int, tag: bytes = TAG, number: int = 0) -> bytes:
    """A packet of chunks of 16 bytes each; C{number} is that of data, or up to which all has come."""
    chunks = b"".join(bytes([kind, 0, 0, 16]) + number.to_bytes(4, "big") + bytes(8) for kind in kinds)
    return b"\0\1\0\2" + tag + bytes(4) + chunks


def sent(*kinds: int, number: int = 0) -> bytes:
    """One that goes the other way."""
    there = packet(*kinds, number=number)
    return there[2:4] + there[:2] + b"peer" + there[8:]


class Association:
    """One that counts what it is told."""

    def __init__(self) -> None:
        self.asked, self.established, self.ask_at = False, True, inf
        self.where = PEER, b"\0\2\0\1"
        self.told: list[str] = []

    def rest(self, now: float) -> None:
        self.told.append("rest")
        self.ask_at = now + IDLE

    def settle(self, now: float) -> None:
        self.told.append("settle")

    def visit(self, now: float) -> float:
        return inf

    def rouse(self) -> None:
        self.told.append("rouse")

    def hear(self, now: float) -> None:
        self.ask_at = now + IDLE

    def answered(self) -> None:
        self.asked = False

    def ask(self, now: float) -> None:
        self.told.append("ask")
        self.hear(now)
        self.asked = True


class Endpoint:
    """One whose associations are settled, or not."""

    profile = DEFAULT

    def __init__(self, *associations: Association) -> None:
        self.present = associations
        self.settled = True
        self.looks = 0

    def is_settled(self) -> bool:
        self.looks += 1
        return self.settled


class PaceTests(SynchronousTestCase):
    """Tick by tick."""

    def setUp(self) -> None:
        self.pace = Pace()
        self.pace.associations = 1
        self.association = Association()
        self.pace.by_tag[TAG] = self.association
        self.endpoint = Endpoint(self.association)
        self.now = 100.0

    def next(self) -> float:
        """Seconds until the next tick."""
        return round(self.pace.next([self.endpoint], self.now) - self.now, 6)

    def until(self) -> float:
        """Seconds until the next tick, while the clock stands still."""
        return round(self.pace.until([self.endpoint], self.now) - self.now, 6)

    def rest(self) -> None:
        """Until nothing is under way."""
        for _ in range(100):
            if self.next() == IDLE:
                return
            self.now += TICK
        self.fail("it does not rest")

    def test_rests(self) -> None:
        """An acknowledgement may wait for a while after the last packet; then nothing is due until a heartbeat is."""
        self.pace.moved = True
        waits = []
        for _ in range(4):
            waits.append(self.next())
            self.now += TICK
        self.assertEqual([TICK] * 3 + [IDLE], waits)
        self.assertEqual(["rest"], self.association.told)

    def test_on_its_way(self) -> None:
        """What is not acknowledged may have to be sent again: first after RTO.Min, and then at any time."""
        self.rest()
        self.pace.begun(self.now)
        self.assertEqual(LOST, self.until())
        self.endpoint.settled = False
        self.now += LOST
        self.assertEqual([TICK] * 100, [self.next() for _ in range(100)])
        self.assertEqual(["rest", "rouse"], self.association.told)

    def test_acknowledged(self) -> None:
        """What is acknowledged in time wakes nobody: not before the next heartbeat. The library need not be asked."""
        self.rest()
        self.pace.now, looks = self.now, self.endpoint.looks
        self.pace.left(PEER, sent(SACK, DATA, DATA, number=7))
        self.assertEqual(LOST, self.until())
        self.pace.came(PEER, packet(SACK, number=7), self.now)
        self.pace.calm([self.endpoint])
        self.assertEqual((IDLE, looks), (self.until(), self.endpoint.looks))

    def test_not_acknowledged_yet(self) -> None:
        """An earlier number, another peer's, a stranger's: nothing of it is the end."""
        self.rest()
        self.pace.now = self.now
        for number in (0xFFFFFFFF, 0, 1, 0xFFFFFFFF):
            # The last one is sent once more.
            self.pace.left(PEER, sent(DATA, number=number))
        for peer, tag, number in ((PEER, TAG, 0xFFFFFFFF), (PEER + 1, TAG, 1), (PEER, b"else", 1)):
            self.pace.came(peer, packet(SACK, tag=tag, number=number), self.now)
            self.assertEqual(LOST, self.until())
        self.now += LOST
        self.endpoint.settled = False
        self.assertEqual(TICK, self.next())

    def test_acknowledged_too_late(self) -> None:
        """The tick at which it may be due finds that it is not."""
        self.rest()
        self.pace.now = self.now
        self.pace.left(PEER, sent(DATA, number=7))
        self.now += LOST
        self.assertEqual(round(IDLE - LOST, 6), self.next())

    def test_no_packet_tells_of_it(self) -> None:
        """What the library holds back, or sends for itself, is asked for."""
        self.rest()
        self.pace.begun(self.now)
        self.endpoint.settled = False
        self.pace.came(PEER, packet(SACK), self.now)
        self.pace.calm([self.endpoint])
        self.assertEqual(LOST, self.until())
        self.endpoint.settled = True
        self.pace.calm([self.endpoint])
        self.assertEqual(IDLE, self.until())

    def test_data(self) -> None:
        """It is acknowledged a little later, unless an acknowledgement goes out at once, or with data."""
        self.rest()
        self.pace.came(PEER, packet(DATA), self.now)
        self.assertEqual(SACKED, self.until())
        self.pace.left(PEER + 1, sent(SACK))
        self.assertEqual(SACKED, self.until())
        self.pace.left(PEER, sent(HEARTBEAT_ACK))
        self.assertEqual(SACKED, self.until())
        self.pace.left(PEER, sent(SACK))
        self.assertEqual(IDLE, self.until())

    def test_acknowledgement_is_late(self) -> None:
        """The tick at which it is due sends it."""
        self.rest()
        self.pace.came(PEER, packet(SACK, DATA), self.now)
        self.now += SACKED
        self.assertEqual(round(IDLE - SACKED, 6), self.next())

    def test_asks(self) -> None:
        """A peer of which nothing comes is sent a heartbeat; its answer is the end of it."""
        self.rest()
        self.now += IDLE
        self.assertEqual(LOST, self.next())
        self.assertEqual(["rest", "ask"], self.association.told)
        self.pace.came(PEER, packet(HEARTBEAT_ACK), self.now)
        self.pace.calm([self.endpoint])
        self.assertEqual(IDLE, self.until())

    def test_not_answered(self) -> None:
        """The library looks after a heartbeat that is not answered, however long that takes."""
        self.rest()
        self.now += IDLE
        self.next()
        self.now += LOST
        self.assertEqual([TICK] * 50, [self.next() for _ in range(50)])
        self.pace.heard(packet(HEARTBEAT_ACK, tag=b"else"), self.now)
        self.assertEqual(TICK, self.next())
        self.pace.heard(packet(HEARTBEAT_ACK), self.now)
        self.assertEqual(IDLE, self.next())

    def test_heard(self) -> None:
        """Whatever comes of a peer tells that it is there; only who knows our tag is the peer."""
        self.rest()
        self.now += IDLE / 2
        self.pace.came(PEER, packet(HEARTBEAT, tag=b"else"), self.now)
        self.assertEqual(IDLE / 2, self.until())
        self.pace.came(PEER, packet(HEARTBEAT), self.now)
        self.assertEqual(IDLE, self.until())

    def test_counted(self) -> None:
        """How many heartbeats were heard, either way, at whatever pace; and nothing else."""
        self.rest()
        for kind in (HEARTBEAT, HEARTBEAT_ACK, SACK, DATA):
            self.pace.came(PEER, packet(kind), self.now)
        self.pace.heard(packet(HEARTBEAT), self.now)
        self.pace.heard(packet(HEARTBEAT, tag=b"else"), self.now)
        self.assertEqual(3, self.pace.beats)

    def test_set_up(self) -> None:
        """Somebody dials: what is answered is waited for."""
        self.rest()
        self.pace.came(PEER, packet(INIT), self.now)
        self.assertEqual(SACKED, self.until())
        self.now += SACKED
        self.assertEqual(round(LOST - SACKED, 6), self.next())

    def test_many(self) -> None:
        """With many associations they are not looked at one by one."""
        self.endpoint.present = (self.association,) * (FEW + 1)
        self.pace.associations = FEW + 1
        self.assertEqual([TICK] * 10, [self.next() for _ in range(10)])
        self.assertEqual(0, self.endpoint.looks)

    def test_many_after_rest(self) -> None:
        """Where many come, those that rested go on resting."""
        self.rest()
        self.pace.coarse = False
        self.endpoint.present = (self.association,) * (FEW + 1)
        self.pace.associations = FEW + 1
        self.assertEqual(TICK, self.next())
        self.assertNotIn("rouse", self.association.told)


class IdleTests(UsrsctpTestCase):
    """An association that has nothing to say, and then something."""

    host = "127.0.99.1"

    async def setUpPair(self) -> Any:
        stack: Any = await self.makeStack(self.host)
        self.clock = stack.engine.clock
        pace = self.clock.pace
        for when in ("next", "calm"):
            following = getattr(pace, when)
            self.patch(pace, when, lambda *arguments, following=following: self._after(following(*arguments)))
        self.accepting, connecting = self.recorder(), self.recorder()
        self.server = stack.open(0, self.accepting, (self.host,))
        self.client = stack.open(0, connecting, (self.host,), listening=False)
        return self.client.connect(TransportAddress((self.host,), self.server.port, stack.encapsulation_port))

    async def test_idle_and_busy_again(self) -> None:
        association = await self.setUpPair()
        for number in range(3):
            association.send(b"%d" % number)
            await self.until(lambda number=number: len(self.accepting.data) > number)  # type: ignore[misc]
            await self.until(lambda: self.clock.pace.coarse and self.server.is_settled() and self.client.is_settled())
        association.send(b"last")
        self.assertFalse(self.client.is_settled())
        self.assertLess(self.clock.alarm.at, self.clock.now + 2 * DEFAULT.rto_min)
        await self.until(lambda: self.accepting.data[-1] == b"last")

    async def test_heartbeat(self) -> None:
        """Nothing comes for a while: one end asks, and the other one answers, and both know the other's tag."""
        association = await self.setUpPair()
        await self.until(lambda: self.clock.pace.coarse)
        before = association.ask_at
        association.ask_at = self.clock.now
        self.clock.alarm.set(self.clock.now + 0.001)
        await self.until(lambda: association.ask_at > before)
        await self.until(lambda: self.clock.pace.coarse and not association.asked)
        self.assertGreater(min(each.ask_at for each in self.server.present), before)

    async def test_who_has_dialled_asks(self) -> None:
        """Whoever is asked hears of the other one, and needs not ask itself."""
        association = await self.setUpPair()
        await self.until(lambda: self.clock.pace.coarse)
        (accepted,) = self.server.present
        now = self.clock.now
        for _ in range(20):
            for each in (association, accepted):
                each.set_heartbeat()
                each.hear(now)
            self.assertLess(association.ask_at, accepted.ask_at)

    async def test_probe(self) -> None:
        """It is answered, also while the library sends no heartbeats by itself."""
        association = await self.setUpPair()
        await self.until(lambda: self.clock.pace.coarse)
        association.probe()
        self.assertTrue(association.asked)
        await self.until(lambda: not association.asked)
        association.endpoint.setHeartbeat(5.0)
        self.assertEqual(5.0, association.socket.heartbeat)

    def _after(self, found: Any) -> Any:
        self._noticed()
        return found
