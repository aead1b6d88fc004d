"""The one timer of a driver: never too late, seldom too early, and none where its deadline was put off."""

from __future__ import annotations

import select
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.node.deadline import TOO_EARLY, Deadline
from rserpool.node.reactor import ReactorLoop
from rserpool.sctp.alarm import Alarm


class OnClockTests(SynchronousTestCase):
    """On a loop whose timers are those of a reactor."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.calls: list[float] = []
        self.deadline = Deadline(ReactorLoop(self.clock), lambda: self.calls.append(self.clock.seconds()))

    def test_sooner(self) -> None:
        """One that comes sooner counts, and one that comes later comes too early, once."""
        self.deadline.wait(2.0)
        self.deadline.wait(1.0)
        self.deadline.wait(3.0)
        self.deadline.wait(None)
        self.clock.pump([0.5] * 10)
        self.assertEqual([1.0], self.calls)

    def test_again(self) -> None:
        """After it was due it waits anew; what is over is due at once."""
        for when in (1.0, 0.5):
            self.deadline.wait(when)
            self.clock.advance(1.0)
        self.assertEqual([1.0, 2.0], self.calls)

    def test_stop(self) -> None:
        """It does not call any more, and nobody has taken its timer away."""
        self.deadline.wait(1.0)
        self.deadline.stop()
        self.clock.advance(2.0)
        self.assertEqual([], self.calls)
        self.assertFalse(self.deadline.robbed)


class OnReactorTests(SynchronousTestCase):
    """On a real reactor, which does not run meanwhile."""

    def setUp(self) -> None:
        self.calls = 0
        self.loop = ReactorLoop(reactor)
        self.deadline = Deadline(self.loop, self.called)
        self.addCleanup(self.deadline.stop)
        self.now = self.loop.now()

    def called(self) -> None:
        self.calls += 1

    @property
    def alarm(self) -> Alarm:
        (alarm,) = (each for each in self.readers() if isinstance(each, Alarm))
        return alarm

    def readers(self) -> list[Any]:
        return list(reactor.getReaders())  # type: ignore[attr-defined]

    def rings(self) -> bool:
        """Whether the reactor would be woken."""
        return bool(select.select([self.alarm], [], [], 0)[0])

    def test_due(self) -> None:
        """It rings, once, and is not heard of again."""
        self.deadline.wait(self.now)
        alarm = self.alarm
        self.assertTrue(self.rings())
        alarm.doRead()
        self.assertEqual(1, self.calls)
        self.assertNotIn(alarm, self.readers())

    def test_put_off(self) -> None:
        """It wakes nobody at the time that it had, not even where it rings already."""
        self.deadline.wait(self.now)
        self.assertTrue(self.rings())
        self.deadline.wait(self.now + 60)
        self.assertFalse(self.rings())
        self.alarm.doRead()
        self.assertEqual(0, self.calls)

    def test_a_little_too_early(self) -> None:
        """It is not moved for less than it costs, but always to be sooner."""
        self.deadline.wait(self.now + 60)
        self.deadline.wait(self.now + 60 + TOO_EARLY / 2)
        self.assertEqual(self.now + 60, self.alarm.at)
        self.deadline.wait(self.now + 59.99)
        self.assertEqual(self.now + 59.99, self.alarm.at)

    def test_set_anew_while_it_rings(self) -> None:
        """What is set when it rings silences it."""
        self.called = lambda: self.deadline.wait(self.now + 60)  # type: ignore[method-assign]
        self.deadline = Deadline(self.loop, lambda: self.called())
        self.addCleanup(self.deadline.stop)
        self.deadline.wait(self.now)
        self.alarm.doRead()
        self.assertFalse(self.rings())

    def test_no_more_descriptors(self) -> None:
        """A call of the reactor's does as well."""

        def no_more(at: float) -> None:
            raise OSError(24, "Too many open files")

        self.patch(Alarm, "set", lambda alarm, at: no_more(at))
        self.deadline.wait(self.now + 60)
        self.assertEqual(1, len(reactor.getDelayedCalls()))  # type: ignore[attr-defined]
        self.deadline.stop()
        self.assertEqual(0, len(reactor.getDelayedCalls()))  # type: ignore[attr-defined]

    def test_robbed(self) -> None:
        """Whoever empties the reactor takes it away."""
        self.deadline.wait(self.now + 60)
        self.assertFalse(self.deadline.robbed)
        reactor.removeReader(self.alarm)  # type: ignore[attr-defined]
        self.assertTrue(self.deadline.robbed)
