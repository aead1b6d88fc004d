"""SCTP's heartbeats become rarer with the number of associations, at little cost (RFC 9260 section 8.3)."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar.shares import AIM, COST, SHARE, Shares
from rserpool.registrar.heartbeats import PAUSE, SELDOMER, Heartbeats

ENOUGH = int(DEFAULT.keep_alive_interval * AIM * SHARE / COST)
"""So many are asked as often as the profile says."""


class HeartbeatTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[float] = []
        self.endpoint = SimpleNamespace(associations=0, setHeartbeat=self.told.append)
        self.heartbeats = Heartbeats(self.clock, DEFAULT, Shares(DEFAULT.keep_alive_interval))

    def come(self, count: int) -> None:
        self.endpoint.associations += count
        self.heartbeats.look(self.endpoint)

    def test_many_at_once(self) -> None:
        """It is told once, and what holds then, not for each few of them."""
        for _ in range(40):
            self.come(ENOUGH // 10)
        self.assertEqual([], self.told)
        self.clock.advance(PAUSE)
        self.assertEqual([4 * SELDOMER * DEFAULT.heartbeat_interval], [round(each, 1) for each in self.told])

    def test_few(self) -> None:
        self.come(ENOUGH)
        self.clock.advance(PAUSE)
        self.assertEqual([], self.told)

    def test_they_go_again(self) -> None:
        self.come(2 * ENOUGH)
        self.clock.advance(PAUSE)
        self.come(-ENOUGH)
        self.clock.advance(PAUSE)
        self.assertEqual([2.0 * SELDOMER, 1.0], [round(each / DEFAULT.heartbeat_interval, 1) for each in self.told])

    def test_stop(self) -> None:
        self.come(2 * ENOUGH)
        self.heartbeats.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
