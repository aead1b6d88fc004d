"""The figures of clients that count."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.services import Tally


class TallyTests(SynchronousTestCase):
    """Messages that are sent, answered, lost and doubled."""

    def test_clean(self) -> None:
        """Each answered once, in order."""
        tally = Tally()
        self.assertEqual("0 lines, 0 answered, 0 lost, 0 doubled", tally.summary("lines"))
        for now in (1.0, 2.0, 3.0):
            number = tally.sending(now)
            self.assertAlmostEqual(0.25, tally.answer(number, now + 0.25, number) or 0.0)
        self.assertTrue(tally.clean)
        self.assertEqual(
            "3 lines, 3 answered, 0 lost, 0 doubled; reply numbers: 0 skipped, 0 repeated\n"
            "round trip min/median/max 250.0/250.0/250.0 ms",
            tally.summary("lines"),
        )

    def test_lost(self) -> None:
        """A message that was given up; its answer comes too late."""
        tally = Tally()
        number = tally.sending(1.0)
        self.assertTrue(tally.give_up(number))
        self.assertFalse(tally.give_up(number))
        self.assertIs(None, tally.answer(number, 2.0))
        self.assertEqual((1, 0, 1, 1), (tally.sent, tally.answered, tally.lost, tally.doubled))
        self.assertFalse(tally.clean)

    def test_reply_numbers(self) -> None:
        """Some are passed over, some come again."""
        tally = Tally()
        for reply in (1, 2, 5, 5, 3, 6):
            tally.answer(tally.sending(0.0), 0.0, reply)
        self.assertEqual((2, 2, 0), (tally.skipped, tally.repeated, tally.doubled))
        self.assertFalse(tally.clean)
        tally = Tally()
        tally.answer(tally.sending(0.0), 0.0, 4)
        self.assertEqual(3, tally.skipped)

    def test_gaps(self) -> None:
        """From the last answer before a failover to the first after it."""
        tally = Tally()
        tally.failed_over()
        tally.answer(tally.sending(1.0), 1.0)
        self.assertEqual([], tally.gaps)
        first, second = tally.sending(2.0), tally.sending(2.1)
        tally.answer(first, 2.2)
        tally.failed_over()
        tally.failed_over()
        tally.answer(second, 2.7)
        tally.sending(3.0)
        self.assertEqual((3, [0.5]), (tally.failovers, [round(gap, 6) for gap in tally.gaps]))
        self.assertIn(
            "1 not answered yet\n3 failovers, without an answer median/longest 500.0/500.0 ms", tally.summary("pings")
        )
        self.assertEqual(1, tally.as_json()["waiting"])
