"""How finely libusrsctp's clock moves: coarsely where nothing is under way, and finely as soon as anything is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.sctp.usrsctp.pace import COARSE, FEW, HEARTBEAT, HEARTBEAT_ACK, TICK, Pace
from tests.sctp.usrsctp_case import UsrsctpTestCase

DATA = 0


def packet(*kinds: int) -> bytes:
    """A packet of chunks of 20 bytes each."""
    return bytes(12) + b"".join(bytes([kind, 0, 0, 20]) + bytes(16) for kind in kinds)


class PaceTests(SynchronousTestCase):
    """Tick by tick."""

    def setUp(self) -> None:
        self.pace = Pace()
        self.endpoint = SimpleNamespace(associations=1, sack_delay=0.02, is_settled=lambda: True)

    def ticks(self, count: int = 1) -> list[float]:
        return [self.pace.next([self.endpoint]) for _ in range(count)]

    def rest(self) -> None:
        """Until nothing is under way."""
        for _ in range(100):
            if self.ticks() == [COARSE]:
                return
        self.fail("it does not rest")

    def test_rests(self) -> None:
        """An acknowledgement may wait for a while after the last packet; then nothing is due soon."""
        self.pace.moved = True
        self.assertEqual([TICK] * 3 + [COARSE], self.ticks(4))

    def test_on_its_way(self) -> None:
        """What is not acknowledged may have to be sent again."""
        self.endpoint.is_settled = lambda: False
        self.assertEqual([TICK] * 100, self.ticks(100))

    def test_heartbeat(self) -> None:
        """One that was sent is waited for, however long that takes; its answer is the end of it."""
        self.rest()
        self.pace.timers_sent([packet(HEARTBEAT)])
        self.assertEqual([TICK] * 50, self.ticks(50))
        self.pace.heard(packet(HEARTBEAT_ACK))
        self.assertEqual([COARSE], self.ticks())

    def test_heartbeat_of_the_peer(self) -> None:
        """It is answered, and nothing follows; but what comes with it is acknowledged."""
        self.rest()
        self.pace.heard(packet(HEARTBEAT))
        self.assertEqual([COARSE], self.ticks())
        self.pace.heard(packet(HEARTBEAT, DATA))
        self.assertEqual([TICK], self.ticks())

    def test_sent_again(self) -> None:
        """A timer has sent something else than a heartbeat."""
        self.rest()
        self.pace.timers_sent([packet(DATA)])
        self.assertEqual([TICK], self.ticks())

    def test_many(self) -> None:
        """With many associations they are not looked at one by one."""
        self.endpoint.associations = FEW + 1
        self.endpoint.is_settled = lambda: self.fail("looked at")
        self.assertEqual([TICK] * 10, self.ticks(10))


class IdleTests(UsrsctpTestCase):
    """An association that has nothing to say, and then something."""

    host = "127.0.99.1"

    async def test_idle_and_busy_again(self) -> None:
        stack: Any = await self.makeStack(self.host)
        pace = stack.engine.pace
        self.patch(pace, "next", lambda endpoints, following=pace.next: self._after(following(endpoints)))
        accepting, connecting = self.recorder(), self.recorder()
        server = stack.open(0, accepting, (self.host,))
        client = stack.open(0, connecting, (self.host,), listening=False)
        association = client.connect(TransportAddress((self.host,), server.port, stack.encapsulation_port))
        for number in range(3):
            association.send(b"%d" % number)
            await self.until(lambda number=number: len(accepting.data) > number)  # type: ignore[misc]
            await self.until(lambda: pace.coarse)
            self.assertTrue(server.is_settled() and client.is_settled())
        association.send(b"last")
        self.assertFalse(pace.coarse or client.is_settled())
        await self.until(lambda: accepting.data[-1] == b"last")

    def _after(self, wait: float) -> float:
        self._noticed()
        return wait
