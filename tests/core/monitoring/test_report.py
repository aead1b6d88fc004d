"""The layout of status reports: what is encoded comes back, and any bytes decode or raise WireError."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import WireError
from rserpool.core.monitoring.report import (
    MOST_ASSOCIATIONS,
    AssociationReport,
    Component,
    Kind,
    Report,
    decode,
    encode,
)
from tests.core.wire.strategies import DETERMINISTIC, u16, u32

seconds = st.integers(0, 2**40).map(lambda microseconds: microseconds * 1e-6)
components = st.builds(
    Component, st.integers(0, 255).map(lambda n: Kind(n) if 1 <= n <= 3 else n), st.integers(0, 2**56 - 1)
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=31)
workloads = st.none() | st.integers(0, 0xFFFE).map(lambda n: n / 0xFFFE)
associations = st.builds(AssociationReport, components, u16, u32, st.none() | seconds, u16)
intervals = st.integers(0, 2**32 - 1).map(lambda microseconds: microseconds * 1e-6)
reports = st.builds(
    Report, components, seconds, intervals, texts, texts, workloads,
    st.lists(associations, max_size=5).map(tuple), st.booleans(),
)  # fmt: skip


def decodes_or_raises(data: bytes) -> None:
    """The invariant."""
    try:
        decoded = decode(data)
    except WireError:
        return
    assert len(encode(decoded)) == len(data)


class LayoutTests(SynchronousTestCase):
    def test_layout(self) -> None:
        """As rsplib's header has it."""
        report = Report(
            Component(Kind.POOL_ELEMENT, 0x12345678), 1.5, 0.25, "host: 10.0.0.1", "working", 0.5,
            (AssociationReport(Component(Kind.REGISTRAR, 0xABCD), 132, 11, 2.0),),
        )  # fmt: skip
        data = encode(report)
        self.assertEqual(len(data), 288 + 24)
        self.assertEqual(data[:4].hex(), "01000138")
        self.assertEqual(data[4:8].hex(), "00000200")
        self.assertEqual(data[8:16].hex(), "0200000012345678")
        self.assertEqual(int.from_bytes(data[16:24], "big"), 1_500_000)
        self.assertEqual(int.from_bytes(data[24:28], "big"), 250_000)
        self.assertEqual(data[28:156].rstrip(b"\0"), b"host: 10.0.0.1")
        self.assertEqual(data[156:284].rstrip(b"\0"), b"working")
        self.assertEqual(data[284:288].hex(), "7fff0001")
        self.assertEqual(data[288:].hex(), "010000000000abcd00000000001e8480000000840000000b")
        final = encode(Report(report.sender, 2.0, 0.25, final=True))
        self.assertEqual((final[1], final[284:288].hex()), (1, "ffff0000"))

    @DETERMINISTIC
    @given(reports)
    def test_round_trip(self, report: Report) -> None:
        data = encode(report)
        self.assertEqual(len(data), int.from_bytes(data[2:4], "big"))
        again = decode(data)
        self.assertEqual(encode(again), data)
        self.assertEqual((again.sender, again.location, again.status), (report.sender, report.location, report.status))
        self.assertEqual((again.workload, again.final), (report.workload, report.final))
        self.assertEqual([one.peer for one in again.associations], [one.peer for one in report.associations])
        for one, other in zip(again.associations, report.associations, strict=True):
            self.assertEqual((one.protocol, one.ppid, one.flags), (other.protocol, other.ppid, other.flags))
            self.assertEqual(one.duration is None, other.duration is None)
            self.assertAlmostEqual(one.duration or 0.0, other.duration or 0.0)
        self.assertAlmostEqual(again.uptime, report.uptime)
        self.assertAlmostEqual(again.interval, report.interval)

    def test_what_does_not_fit_is_cut(self) -> None:
        """Never in the middle of a character, and always to one datagram."""
        one = AssociationReport(Component(Kind.POOL_ELEMENT, 1), 132, 11)
        data = encode(Report(Component(Kind.REGISTRAR, 2**60 + 5), -1.0, 1e9, "ö" * 100, "a\0b", 7.0, (one,) * 5000))
        self.assertLess(len(data), 65507)
        again = decode(data)
        self.assertEqual(again.sender, Component(Kind.REGISTRAR, 5))
        self.assertEqual((again.location, again.status), ("ö" * 63, "a"))
        self.assertEqual((again.uptime, again.workload), (0.0, 1.0))
        self.assertEqual(len(again.associations), MOST_ASSOCIATIONS)

    def test_texts_of_others(self) -> None:
        """A text without an end, and one that is not UTF-8."""
        data = bytearray(encode(Report(Component(Kind.POOL_USER, 1), 0.0, 1.0)))
        data[28:156] = b"x" * 128
        data[156:159] = b"\xff\xfea"
        again = decode(bytes(data))
        self.assertEqual((again.location, again.status), ("x" * 127, "��a"))


class AnyBytesTests(SynchronousTestCase):
    @DETERMINISTIC
    @given(st.binary(max_size=400))
    def test_random_bytes(self, data: bytes) -> None:
        decodes_or_raises(data)

    @DETERMINISTIC
    @given(reports, st.data())
    def test_mutated(self, report: Report, pick: st.DataObject) -> None:
        data = bytearray(encode(report))
        for _ in range(pick.draw(st.integers(1, 4))):
            place = pick.draw(st.integers(0, len(data) - 1))
            data[place] = pick.draw(st.integers(0, 255))
        decodes_or_raises(bytes(data))
        decodes_or_raises(bytes(data[: pick.draw(st.integers(0, len(data)))]))

    def test_what_is_refused(self) -> None:
        data = encode(Report(Component(Kind.POOL_USER, 1), 0.0, 1.0))
        for wrong in (b"", data[:-1], data + b"\0", b"\x02" + data[1:], data[:7] + b"\x01" + data[8:], b"\xff" * 60000):
            self.assertRaises(WireError, decode, wrong)
