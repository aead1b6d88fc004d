"""Timers that do not follow the wall clock."""

from __future__ import annotations

import time
from random import Random

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.core.user import PoolUser
from rserpool.node.node import Node
from rserpool.node.steady import make_steady


class SteadyTests(SynchronousTestCase):
    """A reactor of its own."""

    def test_wall_clock_is_set(self) -> None:
        """The reactor's clock begins at the wall clock, and goes on evenly whatever happens to that."""
        reactor = SelectReactor()
        make_steady(reactor)
        wall, before = time.time, reactor.seconds()
        self.assertTrue(abs(wall() - before) < 60)
        self.patch(time, "time", lambda: wall() - 3600)
        self.assertTrue(0 <= reactor.seconds() - before < 60)
        fired: list[int] = []
        reactor.callLater(0, fired.append, 1)
        # Once more changes nothing.
        make_steady(reactor)
        self.patch(time, "time", lambda: wall() - 7200)
        reactor.runUntilCurrent()
        self.assertEqual([1], fired)
        self.assertTrue(0 <= reactor.seconds() - before < 60)

    def test_embedded(self) -> None:
        """Whatever of ours runs on a program's reactor makes it steady."""
        reactor = SelectReactor()
        Node(reactor, PoolUser((), profile=DEFAULT, random=Random(1)), lambda event: None)
        before, wall = reactor.seconds(), time.time
        self.patch(time, "time", lambda: wall() - 3600)
        self.assertTrue(0 <= reactor.seconds() - before < 60)

    def test_by_hand(self) -> None:
        """A clock that is advanced by hand stays one."""
        clock = Clock()
        make_steady(clock)
        self.assertEqual(0.0, clock.seconds())
