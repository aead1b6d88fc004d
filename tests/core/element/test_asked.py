"""An element that is seldom asked: SCTP's heartbeats become as rare (RFC 9260 section 8.3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.effects import Notify
from rserpool.core.element.asked import Asked
from rserpool.core.element.events import AskedEvery
from rserpool.core.profiles import DEFAULT
from rserpool.element import heartbeats


class AskedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked = Asked(0.5)
        self.now = 0.0

    def every(self, seconds: float, times: int) -> list[float]:
        """What is told when a keep-alive comes so often."""
        told = []
        for _ in range(times):
            self.now += seconds
            told += [effect.event.seconds for effect in self.asked.heard(self.now) if isinstance(effect, Notify)]
        return told

    def test_as_the_profile_has_it(self) -> None:
        """Also where one comes sooner or later than the other."""
        self.assertEqual(
            [], [self.every(each, 1)[:] for each in (0.25, 0.75, 0.5, 0.3, 0.7) * 10 if self.every(each, 1)]
        )

    def test_seldom(self) -> None:
        """It is told as it changes, and no more when it stays."""
        self.every(0.5, 5)
        told = self.every(5.0, 30)
        self.assertLess(len(told), 4)
        self.assertGreater(told[-1], 3.7)
        self.assertEqual([], self.every(5.0, 30))

    def test_at_once(self) -> None:
        """The first that comes so late tells: from then on no heartbeat comes between two of them."""
        self.every(0.5, 5)
        [seconds] = self.every(5.0, 1)
        self.assertGreaterEqual(1.5 * seconds, 5.0)

    def test_once(self) -> None:
        """A registrar stood still for a while, and asks as often as before: soon heartbeats are as they were."""
        self.every(0.5, 5)
        self.every(5.0, 1)
        self.assertLess(self.every(0.5, 8)[-1], 1.5 * 0.5)

    def test_another_registrar(self) -> None:
        self.every(5.0, 30)
        self.assertEqual([Notify(AskedEvery(0.5))], self.asked.forget())
        self.assertEqual([], self.asked.forget())


class FollowTests(SynchronousTestCase):
    """What SCTP is told then."""

    def interval(self, seconds: float) -> float:
        told: list[float] = []
        heartbeats.follow(_Endpoint(told), DEFAULT, seconds)  # type: ignore[arg-type]
        return told[0]

    def test_interval(self) -> None:
        self.assertEqual([0.5, 0.5, 7.5], [self.interval(each) for each in (0.5, 0.7, 5.0)])

    def test_not_open(self) -> None:
        heartbeats.follow(None, DEFAULT, 5.0)


class _Endpoint:
    def __init__(self, told: list[float]) -> None:
        self.setHeartbeat = told.append
