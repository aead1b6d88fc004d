"""Least Used (RFC 5356 section 5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lowest import LowestFirst


class LeastUsedSelection(LowestFirst[M]):
    """Lowest load first."""

    __slots__ = ()

    def key(self, member: M) -> int:
        return member.values[0]


class LeastUsed(Policy):
    """The elements of the lowest load."""

    number = 0x40000001
    name = "least-used"
    abbreviation = "LU"
    fields = ("load",)

    def selection(self, random: Dice) -> Selection[M]:
        return LeastUsedSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # 5.1.3: in the order that the registrar returned
