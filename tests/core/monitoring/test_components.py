"""What a monitor knows: components come, change, fall silent, say goodbye, and are forgotten."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import WireError
from rserpool.core.monitoring.components import ASSOCIATIONS, MOST, Change, Components
from rserpool.core.monitoring.report import AssociationReport, Component, Kind, Report, decode, encode

REGISTRAR = Component(Kind.REGISTRAR, 7)
REPORT = Report(REGISTRAR, 10.0, 1.0, "here", "3 elements")


def marks(changes: list[Change]) -> str:
    return "".join(change.what for change in changes)


class ComponentsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.components = Components()

    def hear(self, report: Report = REPORT, now: float = 0.0) -> str:
        return marks(self.components.heard(report, "10.0.0.1", now))

    def test_comes_changes_goes(self) -> None:
        self.assertEqual(self.hear(), "+")
        self.assertEqual(self.hear(replace(REPORT, uptime=11.0), 1.0), "")
        self.assertEqual(self.hear(replace(REPORT, status="4 elements"), 2.0), "~")
        (known,) = self.components.known
        self.assertEqual((known.report.status, known.source, known.gone), ("4 elements", "10.0.0.1", None))
        self.assertEqual(marks(self.components.tick(4.9)), "")
        (change,) = self.components.tick(5.0)
        self.assertEqual((change.what, change.known.gone, change.known.farewell), ("-", 5.0, False))
        self.assertEqual(marks(self.components.tick(14.9)), "")
        self.assertEqual(len(self.components), 1)
        self.components.tick(15.0)
        self.assertEqual(len(self.components), 0)
        self.assertEqual(self.hear(now=20.0), "+")

    def test_farewell(self) -> None:
        """The last thing that it said stays to be seen."""
        self.hear()
        final = Report(REGISTRAR, 12.0, 1.0, final=True)
        (change,) = self.components.heard(final, "10.0.0.1", 2.0)
        self.assertEqual((change.what, change.known.farewell, change.known.report.status), ("-", True, "3 elements"))
        self.assertEqual(change.known.uptime(9.0), 10.0)
        self.assertEqual(self.hear(final, 3.0), "")
        self.assertEqual(self.hear(now=4.0), "+")

    def test_farewell_of_a_stranger(self) -> None:
        self.assertEqual(self.hear(replace(REPORT, final=True)), "")
        self.assertEqual(len(self.components), 0)

    def test_what_is_news(self) -> None:
        one = AssociationReport(Component(Kind.REGISTRAR, 8), 132, 12, 1.0)
        self.hear(replace(REPORT, workload=0.50, associations=(one,)))
        for report, news in (
            (replace(REPORT, workload=0.52, associations=(replace(one, duration=2.0),)), ""),
            (replace(REPORT, workload=0.60, associations=(one,)), "~"),
            (replace(REPORT, workload=None, associations=(one,)), "~"),
            (REPORT, "~"),
            (replace(REPORT, location="there"), "~"),
        ):
            self.assertEqual(self.hear(report), news)

    def test_patience(self) -> None:
        """Three reports, whatever interval a component claims to have."""
        for interval, silence in ((0.0, 2.0), (0.25, 2.0), (5.0, 15.0), (4294.0, 180.0)):
            components = Components()
            components.heard(replace(REPORT, interval=interval), "", 0.0)
            self.assertEqual(marks(components.tick(silence - 0.1)), "")
            self.assertEqual(marks(components.tick(silence)), "-")

    def test_order(self) -> None:
        for kind, identifier in ((3, 1), (1, 9), (77, 1), (2, 5), (1, 2)):
            self.hear(replace(REPORT, sender=Component(kind, identifier)))
        known = [(each.report.sender.kind, each.report.sender.identifier) for each in self.components.known]
        self.assertEqual(known, [(1, 2), (1, 9), (2, 5), (3, 1), (77, 1)])

    def test_a_flood_is_bounded(self) -> None:
        """More components than anybody has: those that are known stay, those that are gone make room."""
        self.hear()
        for identifier in range(MOST + 10):
            self.hear(replace(REPORT, sender=Component(Kind.POOL_USER, identifier)))
        self.assertEqual((len(self.components), self.components.ignored), (MOST, 11))
        self.hear(replace(REPORT, sender=Component(Kind.POOL_USER, 3), final=True), 1.0)
        self.assertEqual(self.hear(replace(REPORT, sender=Component(Kind.POOL_ELEMENT, 1)), 1.0), "+")
        self.assertEqual(len(self.components), MOST)
        self.assertEqual(self.hear(now=1.0), "")

    def test_many_associations_are_counted(self) -> None:
        one = AssociationReport(Component(Kind.POOL_ELEMENT, 8), 132, 11)
        self.hear(replace(REPORT, associations=(one,) * 2000))
        (known,) = self.components.known
        self.assertEqual((known.count, len(known.report.associations)), (2000, ASSOCIATIONS))

    def test_garbage_disturbs_nobody(self) -> None:
        """20,000 mutated datagrams: whoever reports is still there, and there is an end to what is kept."""
        random = Random(1)
        association = AssociationReport(Component(Kind.POOL_ELEMENT, 8), 132, 11)
        original = encode(replace(REPORT, sender=Component(Kind.POOL_ELEMENT, 99), associations=(association,)))
        self.hear()
        for number in range(20_000):
            data = bytearray(original)
            for _ in range(random.randrange(1, 5)):
                data[random.randrange(len(data))] = random.randrange(256)
            now = number / 1000
            try:
                self.components.heard(decode(bytes(data)), "10.0.0.9", now)
            except WireError:
                continue
            if number % 100 == 0:
                self.hear(replace(REPORT, uptime=now), now)
                self.components.tick(now)
        self.assertLessEqual(len(self.components), MOST)
        (known,) = (each for each in self.components.known if each.report.sender == REGISTRAR)
        self.assertIsNone(known.gone)


class LongReportTests(SynchronousTestCase):
    """Reports as long as a datagram may be."""

    def test_associations(self) -> None:
        """Of 2,500 associations 20 are read, and the number of all is known."""
        one = AssociationReport(Component(Kind.POOL_ELEMENT, 1), 132, 11)
        report = Report(Component(Kind.REGISTRAR, 1), 1.0, 1.0, associations=(one,) * 2500)
        read = decode(encode(report), ASSOCIATIONS)
        self.assertEqual((len(read.associations), read.more), (ASSOCIATIONS, 2500 - ASSOCIATIONS))
        components = Components()
        components.heard(read, "10.0.0.1", 0.0)
        (known,) = components.known
        self.assertEqual(known.count, 2500)
