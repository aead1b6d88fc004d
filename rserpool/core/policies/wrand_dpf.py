"""Weighted Random with a Distance Penalty Factor, as rsplib has it (see draft-dreibholz-rserpool-delay)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import FULL_LOAD, M, Policy, T, shuffled
from rserpool.core.policies.lottery import Lottery


class WeightedRandomDistanceSelection(Lottery[M]):
    """A lottery by weight, of which each millisecond of distance takes a part; what is above 0 stays above 0."""

    __slots__ = ()

    def weight(self, member: M) -> int:
        weight, penalty, distance = member.values
        return weight and max(1, weight - weight * distance * penalty // FULL_LOAD)


class WeightedRandomDistance(Policy):
    """Any element, as likely as its weight says, and less so the farther it is."""

    number = 0xB0002001
    name = "weighted-random-dpf"
    abbreviation = "WRAND-DPF"
    fields = ("weight", "weight-dpf", "distance")

    def selection(self, random: Dice) -> WeightedRandomDistanceSelection[M]:
        return WeightedRandomDistanceSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)  # as with WRAND: the weights have told already
