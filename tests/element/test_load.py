"""Load probes."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError
from rserpool.element.load import PROBES, CpuLoad, probe


class CpuLoadTests(SynchronousTestCase):
    """The processors, by C{/proc/stat}."""

    def setUp(self) -> None:
        self.stat = Path(self.mktemp())

    def at(self, user: int, system: int, idle: int, iowait: int = 0, steal: int = 0, guest: int = 0) -> None:
        """The kernel's counters are so far."""
        self.stat.write_text(
            f"cpu  {user} 0 {system} {idle} {iowait} 0 0 {steal} {guest} 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n"
        )

    def test_since_the_last_call(self) -> None:
        """Busy ticks of all ticks since the last call; waiting for a disk is idle, guests are not counted twice."""
        self.at(1000, 1000, 1000)
        load = CpuLoad(self.stat)
        self.at(1050, 1025, 1025)
        self.assertAlmostEqual(0.75, load())
        self.at(1050, 1025, 1075, iowait=50, guest=500)
        self.assertEqual(0.0, load())
        self.at(1150, 1025, 1075, iowait=50, guest=600)
        self.assertEqual(1.0, load())
        self.at(1150, 1025, 1125, iowait=50, steal=50, guest=600)
        self.assertAlmostEqual(0.5, load())

    def test_no_time_has_passed(self) -> None:
        """Two calls within one tick, and counters that go back: no load, and no division by nothing."""
        self.at(1000, 1000, 1000)
        load = CpuLoad(self.stat)
        self.assertEqual(0.0, load())
        self.at(900, 1000, 1000)
        self.assertEqual(0.0, load())

    def test_no_such_file(self) -> None:
        """Elsewhere than on Linux, or where the file is unreadable: the load average."""
        for content in (None, "", "cpu x y z\n"):
            if content is not None:
                self.stat.write_text(content)
            load = CpuLoad(self.stat)
            self.assertTrue(0.0 <= load() <= 1.0)

    def test_here(self) -> None:
        """On this machine."""
        load = CpuLoad()
        self.assertTrue(0.0 <= load() <= 1.0)

    def test_names(self) -> None:
        """By name, for C{least-used:load=cpu}."""
        self.assertEqual(["cpu", "service"], list(PROBES))
        self.assertIsInstance(probe("cpu"), CpuLoad)
        with self.assertRaisesRegex(ConfigurationError, "no load probe 'disk'; choose cpu, service or a number"):
            probe("disk")
