"""Which homes are worth a line in the log."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.node.homes import MOST, Homes

ONE, TWO = (TransportAddress((f"10.0.0.{number}",), 3863) for number in (1, 2))


class HomesTests(SynchronousTestCase):
    """Each is told once until one answers."""

    def told(self, homes: Homes, *changes: TransportAddress | None) -> list[TransportAddress | None]:
        return [change for change in changes if homes.new(change)]

    def test_silent(self) -> None:
        """One that accepts and says nothing is lost and found for ever."""
        self.assertEqual([ONE, None, TWO], self.told(Homes(), ONE, None, ONE, None, TWO, None, ONE, None))

    def test_answered(self) -> None:
        """What comes after an answer is new."""
        homes = Homes()
        for _ in range(3):
            self.assertEqual([None, ONE], self.told(homes, None, ONE, None, ONE))
            homes.answered()

    def test_bounded(self) -> None:
        """However many there are."""
        many = [TransportAddress((f"10.0.1.{number}",), 3863) for number in range(200)]
        self.assertLessEqual(len(self.told(Homes(), *many)), MOST + 1)
