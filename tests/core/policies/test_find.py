"""Policies that are not in the table are looked for elsewhere, when somebody needs one."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.policies import ROUND_ROBIN, Policies

OTHER = replace(ROUND_ROBIN, number=0x80000001, name="other", abbreviation="O")


class FindTests(SynchronousTestCase):
    """A table with one policy."""

    def setUp(self) -> None:
        self.policies = Policies((ROUND_ROBIN,), "here")
        self.looked = 0

    def look(self) -> None:
        self.looked += 1
        self.policies.add(OTHER, "elsewhere")

    def test_here(self) -> None:
        """Nobody looks elsewhere for one that is here."""
        self.policies.beyond(self.look)
        self.assertIs(ROUND_ROBIN, self.policies.find(ROUND_ROBIN.number))
        self.assertEqual(0, self.looked)

    def test_elsewhere(self) -> None:
        """One that is not here is found."""
        self.policies.beyond(self.look)
        self.assertIs(OTHER, self.policies.find(OTHER.number))

    def test_nowhere(self) -> None:
        """They are looked for once, whatever numbers peers send."""
        self.policies.beyond(self.look)
        for number in range(2, 10):
            self.assertIsNone(self.policies.find(number))
        self.assertEqual(1, self.looked)

    def test_nothing_beyond(self) -> None:
        """Where nobody can look it is not known."""
        self.assertIsNone(self.policies.find(OTHER.number))
