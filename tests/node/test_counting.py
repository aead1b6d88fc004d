"""Log lines that come too often are counted up."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from rserpool.node.counting import LINES, MOST, PERIOD, CountedLog, LimitedLog


class CountedLogTests(SynchronousTestCase):
    """The first lines of a second come one by one, the others as a sum."""

    def setUp(self):
        self.lines: list[str | None] = []
        self.clock = Clock()

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            self.lines.append(formatEvent(event))

        self.log = CountedLog(self.clock, Logger(observer=observe))

    def say(self, count, kind="elements registered"):
        for number in range(count):
            self.log.info(kind, "element {number}", number=number)

    def test_few_lines_come_as_they_are(self):
        self.say(3)
        self.clock.advance(5)
        self.assertEqual(self.lines, ["element 0", "element 1", "element 2"])

    def test_many_are_counted_up_by_kind(self):
        self.say(LINES + 5)
        self.say(2, "elements removed")
        self.assertEqual(len(self.lines), LINES)
        self.clock.advance(1)
        self.assertEqual(self.lines[LINES:], ["within a second: 5 elements registered, 2 elements removed"])

    def test_the_next_second_is_another(self):
        self.say(LINES + 1)
        self.clock.advance(1)
        self.say(1)
        self.assertEqual(self.lines[-1], "element 0")

    def test_nothing_is_left_at_the_end(self):
        self.say(LINES + 1)
        self.log.stop()
        self.assertEqual(self.lines[-1], "within a second: 1 elements registered")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LimitedLogTests(SynchronousTestCase):
    """So many lines of one kind a minute, and no timer."""

    def test_of_one_kind(self):
        lines: list[str | None] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        clock = Clock()
        log = LimitedLog(Logger(observer=observe), clock.seconds)
        for number in range(1000):
            log.warn("lost {number}", number=number)
        log.info("another")
        self.assertEqual(lines, [f"lost {number}" for number in range(MOST)] + ["another"])
        clock.advance(PERIOD)
        log.warn("lost {number}", number=7)
        self.assertEqual(lines[MOST + 1 :], ["980 more lines like the following one were left out", "lost 7"])
        self.assertEqual(clock.getDelayedCalls(), [])
