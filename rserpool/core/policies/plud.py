"""Priority Least Used with Degradation: a policy of rsplib's own, made of PLU and LUD (RFC 5356 5.2 and 5.3)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lud import LeastUsedDegradationSelection


class PriorityLeastUsedDegradationSelection(LeastUsedDegradationSelection[M]):
    """Lowest first by what the load would be after one more request than were given."""

    __slots__ = ()

    def key(self, member: M) -> int:
        load, degradation = member.values
        return load + (member.tally + 1) * degradation


class PriorityLeastUsedDegradation(Policy):
    """The elements whose load will be lowest when they have taken the request, counting what they were given."""

    number = 0xB0001003
    name = "priority-least-used-degradation"
    abbreviation = "PLUD"
    fields = ("load", "degradation")

    def selection(self, random: Dice) -> Selection[M]:
        return PriorityLeastUsedDegradationSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # as with LUD: in the order that the registrar returned
