"""Weighted Random (RFC 5356 section 4.4)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, T, shuffled
from rserpool.core.policies.lottery import Lottery


class WeightedRandomSelection(Lottery[M]):
    """A lottery by weight; a weight of 0 is never selected (section 3.2: it is not capable of any service)."""

    __slots__ = ()

    def weight(self, member: M) -> int:
        return member.values[0]


class WeightedRandom(Policy):
    """Any element, as likely as its weight says."""

    number = 0x00000004
    name = "weighted-random"
    abbreviation = "WRAND"
    fields = ("weight",)

    def selection(self, random: Dice) -> WeightedRandomSelection[M]:
        return WeightedRandomSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)  # 4.4.3: the weights have told already
