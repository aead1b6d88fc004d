"""Priority Least Used (RFC 5356 section 5.3)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lowest import LowestFirst


class PriorityLeastUsedSelection(LowestFirst[M]):
    """Lowest first by what the load would be after one more request."""

    __slots__ = ()

    def key(self, member: M) -> int:
        return member.values[0] + member.values[1]


class PriorityLeastUsed(Policy):
    """The elements whose load will be lowest when they have taken the request."""

    number = 0x40000003
    name = "priority-least-used"
    abbreviation = "PLU"
    fields = ("load", "degradation")

    def selection(self, random: Dice) -> Selection[M]:
        return PriorityLeastUsedSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # 5.3.3: in the order that the registrar returned
