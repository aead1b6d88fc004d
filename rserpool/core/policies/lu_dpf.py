"""Least Used with a Distance Penalty Factor (draft-dreibholz-rserpool-delay)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lowest import LowestFirst


class LeastUsedDistanceSelection(LowestFirst[M]):
    """Lowest first by the load, to which each millisecond of distance adds."""

    __slots__ = ()

    def key(self, member: M) -> int:
        load, penalty, distance = member.values
        return load + distance * penalty


class LeastUsedDistance(Policy):
    """The elements of the lowest load that are not too far away."""

    number = 0xB0002002
    name = "least-used-dpf"
    abbreviation = "LU-DPF"
    fields = ("load", "load-dpf", "distance")

    def selection(self, random: Dice) -> Selection[M]:
        return LeastUsedDistanceSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # as with LU: in the order that the registrar returned
