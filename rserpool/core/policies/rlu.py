"""Randomized Least Used (RFC 5356 section 5.4)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import FULL_LOAD, M, Policy, T, shuffled
from rserpool.core.policies.lottery import Lottery


class RandomizedLeastUsedSelection(Lottery[M]):
    """A lottery by what is left of each member; a full one is selected only if all are full, then all alike."""

    __slots__ = ()

    def weight(self, member: M) -> int:
        return FULL_LOAD - member.values[0]

    def select(self, count: int) -> list[M]:
        return super().select(count) or self.weightless(count)


class RandomizedLeastUsed(Policy):
    """Any element, as likely as its load is low."""

    number = 0x40000004
    name = "randomized-least-used"
    abbreviation = "RLU"
    fields = ("load",)

    def selection(self, random: Dice) -> RandomizedLeastUsedSelection[M]:
        return RandomizedLeastUsedSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)
