"""Where there are many associations none of them has a timer that only waits; failures are noticed all the same."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import FAST
from rserpool.sctp.usrsctp.association import SAME
from rserpool.sctp.usrsctp.crowd import FEW, FEWER_AGAIN, STEP, Crowd
from rserpool.sctp.usrsctp.packets import abort_with_tag
from tests.sctp.relay import HEARTBEAT, HEARTBEAT_ACK, Path, chunks
from tests.sctp.usrsctp_case import UsrsctpTestCase

PAUSE = 5.0


class Member:
    """One that counts what it is told."""

    def __init__(self, established: bool = True) -> None:
        self.established = established
        self.told: list[str] = []
        self.visits = 0
        self.again = PAUSE

    def rest(self, now: float) -> None:
        self.told.append("rest")

    def settle(self, now: float) -> None:
        self.told.append("settle")

    def rouse(self) -> None:
        self.told.append("rouse")

    def visit(self, now: float) -> float:
        self.visits += 1
        return now + self.again


class CrowdTests(SynchronousTestCase):
    """Tick by tick."""

    def setUp(self) -> None:
        self.crowd = Crowd()
        self.members = [Member() for _ in range(FEW + 1)]
        self.now = 100.0

    def look(self) -> None:
        self.crowd.look(len(self.members), [self.members], self.now)

    def visits(self) -> int:
        return sum(each.visits for each in self.members)

    def test_few(self) -> None:
        self.members.pop()
        self.look()
        self.assertEqual((False, 0), (self.crowd.here, self.visits()))

    def test_gathers_and_disperses(self) -> None:
        """It does not flicker."""
        self.look()
        self.assertTrue(self.crowd.here)
        self.assertEqual([["settle"]] * (FEW + 1), [each.told for each in self.members])
        del self.members[FEWER_AGAIN + 1 :]
        self.look()
        self.assertTrue(self.crowd.here)
        del self.members[FEWER_AGAIN:]
        self.look()
        self.assertFalse(self.crowd.here)
        self.assertEqual([["settle", "rouse"]] * FEWER_AGAIN, [each.told for each in self.members])

    def test_nobody_is_looked_at_who_is_not_due(self) -> None:
        self.look()
        before = self.visits()
        for _ in range(100):
            self.now += PAUSE / 200
            self.look()
        self.assertEqual(before, self.visits())
        self.now += PAUSE + STEP
        self.look()
        self.assertEqual(before + FEW + 1, self.visits())

    def test_a_day_later(self) -> None:
        """A process that stood still looks at everybody once, and goes on."""
        self.look()
        before = self.visits()
        for _ in range(2):
            self.now += 86_400.0
            self.look()
            self.look()
        self.assertEqual(before + 2 * len(self.members), self.visits())

    def test_joins(self) -> None:
        """Who comes is not asked, since it was just heard; who is not up yet is not looked at."""
        late = Member(established=False)
        self.members.append(late)
        self.look()
        self.assertEqual(([], 0), (late.told, late.visits))
        self.crowd.joins(late, self.now)
        self.assertEqual((["rest"], 1), (late.told, late.visits))
        self.now += PAUSE + STEP
        self.look()
        self.assertEqual(2, late.visits)

    def test_joins_few(self) -> None:
        member = Member()
        self.crowd.joins(member, self.now)
        self.assertEqual(([], 0), (member.told, member.visits))

    def test_gone(self) -> None:
        """One that is gone is looked at no more."""
        self.members[0].again = inf
        self.look()
        before = self.members[0].visits
        self.now += PAUSE + STEP
        self.look()
        self.assertEqual(before, self.members[0].visits)

    def test_hurry(self) -> None:
        """Heartbeats of some become more frequent: that holds for who waits already, and costs nobody else anything."""
        self.look()
        before = self.visits()
        one = self.members[0]
        for _ in range(3):
            one.again /= 2
            self.crowd.hurry([one], self.now)
            self.look()
        self.assertEqual(before + 3, self.visits())
        self.now += one.again + STEP
        self.look()
        self.assertEqual(before + 4, self.visits())
        self.now += 1.5 * one.again + STEP
        self.look()
        self.assertEqual(before + 5, self.visits())

    def test_hurry_few(self) -> None:
        self.crowd.hurry(self.members, self.now)
        self.assertEqual(0, self.visits())

    def test_doubts(self) -> None:
        """They are told once."""
        told: list[tuple[int, bytes]] = []
        self.crowd.doubted.append((7, b"port"))
        for _ in range(2):
            self.crowd.doubts(lambda *whom: told.append(whom))
        self.assertEqual([(7, b"port")], told)


class SilenceTests(UsrsctpTestCase):
    """Many associations, over paths of which one falls silent."""

    host = "127.0.96.1"

    async def setUpMany(self, heartbeat: float) -> None:
        profile = replace(FAST, heartbeat_interval=heartbeat)
        stack = await self.makeStack(self.host, profile=profile)
        other = await self.makeStack(self.host, profile=profile)
        pace = stack.engine.clock.pace
        self.crowd = pace.crowd
        self.patch(pace, "next", lambda *arguments, following=pace.next: self._after(following(*arguments)))
        self.accepting, self.connecting = self.recorder(), self.recorder()
        self.server: Any = stack.open(0, self.accepting, (self.host,))
        self.silent = self.deaf = False
        self.last = 0
        self.went: list[int] = []
        path = Path(reactor, self.host, stack.encapsulation_port, self.passes)
        self.addCleanup(path.stop)
        there = TransportAddress((self.host,), self.server.port, path.port)
        ends = [other.open(0, self.connecting, (self.host,), listening=False) for _ in range(FEW + 1)]
        for number, end in enumerate(ends):
            end.connect(there)
            await self.until(lambda number=number: len(self.accepting.up) > number)  # type: ignore[misc]
        self.last = ends[-1].port
        (self.one,) = (each for each in self.server.present if each.peer.port == self.last)
        await self.until(lambda: self.crowd.here and not any(map(self.asks, (*self.accepting.up, *self.connecting.up))))

    def passes(self, packet: bytes, forth: bool) -> bool:
        port = int.from_bytes(packet[0:2] if forth else packet[2:4], "big")
        kinds = list(chunks(packet))
        self.went.extend(kinds)
        return port != self.last or not (self.silent or (self.deaf and HEARTBEAT_ACK in kinds))

    @staticmethod
    def asks(association: Any) -> bool:
        return bool(association.asked)

    def _after(self, wait: float) -> float:
        self._noticed()
        return wait

    async def test_idle(self) -> None:
        """Nothing goes over it: a heartbeat is sent when it is time, and is not answered."""
        await self.setUpMany(FAST.heartbeat_interval)
        self.silent = True
        await self.until(lambda: bool(self.accepting.lost))
        self.assertFalse(self.one.established)

    async def test_busy(self) -> None:
        """What is sent is not acknowledged: the library doubts, and goes on with heartbeats of its own."""
        await self.setUpMany(3600.0)
        self.silent = True
        self.one.send(b"anybody?")
        await self.until(lambda: self.one.asked)
        await self.until(lambda: bool(self.accepting.lost))
        self.assertFalse(self.one.established)

    async def test_comes_back(self) -> None:
        """It answers again, and rests."""
        await self.setUpMany(3600.0)
        self.deaf = True
        self.one.probe()
        self.assertTrue(self.one.asked)
        asked = self.went.count(HEARTBEAT)
        await self.until(lambda: self.went.count(HEARTBEAT) > asked + 1)
        self.deaf = False
        await self.until(lambda: not self.one.asked)
        self.assertEqual([], self.accepting.lost)

    async def test_answered_too_late(self) -> None:
        """The answer to a heartbeat comes when we have aborted."""
        await self.setUpMany(3600.0)
        self.one.probe()
        self.server.abort()
        self.one.answered()
        self.assertFalse(self.one.established)

    async def test_sent_when_it_is_gone(self) -> None:
        """The library has lost it and we have not read that yet: what is sent dials nobody."""
        await self.setUpMany(3600.0)
        engine, where = self.server.engine, (self.last, self.one.where[0])
        self.silent = True
        self.assertNotEqual(0, self.server.socket.association(*where))
        packet = abort_with_tag(engine.library, self.last, self.server.port, self.one.own_tag)
        engine.input(self.one.where[0], packet, len(packet), 0)
        self.one.send(b"too late")
        self.assertTrue(engine.begun)
        self.assertEqual(0, self.server.socket.association(*where))
        await self.until(lambda: bool(self.accepting.lost))
        self.assertEqual(0, self.server.socket.association(*where))

    async def test_many_of_one_port(self) -> None:
        """Those that share an SCTP port are found by their numbers, as soon as they are more than a few."""
        await self.setUpMany(3600.0)
        for _ in range(SAME):
            self.server.comes(self.last)
        self.one.set_up(1)
        begun: list[Any] = []
        self.patch(self.server.socket, "send_to", lambda *what: begun.append(what))
        self.one.send(b"by its number")
        await self.until(lambda: self.connecting.data == [b"by its number"])
        self.assertEqual([], begun)

    async def test_quiet(self) -> None:
        """No heartbeats of the library's own; those that we send are not taken for them."""
        await self.setUpMany(3600.0)
        asked = self.went.count(HEARTBEAT)
        ticks = self.server.engine.clock.ticks
        await self.until(lambda: self.server.engine.clock.ticks > ticks + 20)
        self.assertEqual(asked, self.went.count(HEARTBEAT))
