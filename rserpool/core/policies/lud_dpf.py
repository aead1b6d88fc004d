"""Least Used with Degradation and a Distance Penalty Factor, as rsplib has it (see draft-dreibholz-rserpool-delay)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lud import LeastUsedDegradationSelection


class LeastUsedDegradationDistanceSelection(LeastUsedDegradationSelection[M]):
    """Lowest first by the load as it will have grown with the requests, to which each millisecond of distance adds."""

    __slots__ = ()

    def key(self, member: M) -> int:
        load, degradation, penalty, distance = member.values
        return load + member.tally * degradation + distance * penalty


class LeastUsedDegradationDistance(Policy):
    """The elements of the lowest load that are not too far away, counting what they were given since they told it."""

    number = 0xB0002003
    name = "least-used-degradation-dpf"
    abbreviation = "LUD-DPF"
    fields = ("load", "degradation", "load-dpf", "distance")

    def selection(self, random: Dice) -> Selection[M]:
        return LeastUsedDegradationDistanceSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # as with LUD: in the order that the registrar returned
