"""How much of what anybody announces by multicast is looked at."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.node.strangers import LONGEST_ANNOUNCEMENT, OF_ALL, OF_ONE, Announcers


class AnnouncerTests(SynchronousTestCase):
    """A second at a time."""

    def admitted(self, announcers: Announcers, source: str, times: int, now: float = 100.0) -> int:
        return sum(announcers.admits(60, source, now) for _ in range(times))

    def test_long(self) -> None:
        """What is too long is not looked at."""
        self.assertTrue(Announcers().admits(LONGEST_ANNOUNCEMENT, "10.0.0.1", 100.0))
        self.assertFalse(Announcers().admits(8008, "10.0.0.1", 100.0))

    def test_one_machine(self) -> None:
        """One that announces without end: others are heard; a second later it is heard again."""
        announcers = Announcers()
        self.assertEqual(self.admitted(announcers, "10.0.0.1", 600), OF_ONE)
        self.assertEqual(self.admitted(announcers, "10.0.0.2", 3), 3)
        self.assertEqual(self.admitted(announcers, "10.0.0.1", 600, 101.0), OF_ONE)

    def test_all(self) -> None:
        """Many machines: a bounded number a second, and nothing is kept of them."""
        announcers = Announcers()
        self.assertEqual(sum(self.admitted(announcers, f"10.0.{n // 250}.{n % 250}", 1) for n in range(9999)), OF_ALL)
        self.assertLessEqual(len(announcers._rate._counts), OF_ALL)
