"""Least Used with Degradation (RFC 5356 section 5.2)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lowest import TURN, TURN_MASK, LowestFirst


class LeastUsedDegradationSelection(LowestFirst[M]):
    """Lowest first by the load as it will have grown with the requests since it was told.

    C{tally} is the degradation counter of section 5.2.2.
    """

    __slots__ = ()

    def key(self, member: M) -> int:
        load, degradation = member.values
        return load + member.tally * degradation

    def add(self, member: M) -> None:
        member.tally = 0
        super().add(member)

    def update(self, member: M) -> None:
        member.tally = 0  # also if the values are the same: the element has told its load anew
        super().update(member)

    def select(self, count: int) -> list[M]:
        chosen = self.order.take(count)
        last = -1
        for member in chosen:
            rank = member.rank
            if rank >> TURN != last:  # as with LU, only the head of those that are equal has its turn behind them
                last = rank >> TURN
                self.turn = rank = self.turn + 1
            member.tally += 1  # 5.2.2: for every one that is returned
            member.rank = self.key(member) << TURN | (rank & TURN_MASK)
            self.order.add(member)
        return chosen


class LeastUsedDegradation(Policy):
    """The elements of the lowest load, counting what they were given since they told it."""

    number = 0x40000002
    name = "least-used-degradation"
    abbreviation = "LUD"
    fields = ("load", "degradation")

    def selection(self, random: Dice) -> Selection[M]:
        return LeastUsedDegradationSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # 5.2.3: see LU
