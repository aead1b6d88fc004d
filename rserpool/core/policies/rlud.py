"""Randomized Least Used with Degradation: a policy of rsplib's own, made of RLU and LUD (RFC 5356 5.2 and 5.4)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import FULL_LOAD, M, Policy, T, shuffled
from rserpool.core.policies.rlu import RandomizedLeastUsedSelection


class RandomizedLeastUsedDegradationSelection(RandomizedLeastUsedSelection[M]):
    """A lottery by what is left of each member, counting what it was given since it told its load.

    C{rank} is the degradation counter of RFC 5356 section 5.2.2; C{tally} is the lottery's.
    """

    __slots__ = ()

    def weight(self, member: M) -> int:
        load, degradation = member.values
        return max(0, FULL_LOAD - load - member.rank * degradation)

    def add(self, member: M) -> None:
        member.rank = 0
        super().add(member)

    def update(self, member: M) -> None:
        member.rank = 0
        super().update(member)

    def select(self, count: int) -> list[M]:
        chosen = super().select(count)
        for member in chosen:
            member.rank += 1
            super().update(member)
        return chosen

    def peek(self, count: int) -> list[M]:
        return super().select(count)


class RandomizedLeastUsedDegradation(Policy):
    """Any element, as likely as its load is low, counting what they were given since they told it."""

    number = 0xB0001002
    name = "randomized-least-used-degradation"
    abbreviation = "RLUD"
    fields = ("load", "degradation")

    def selection(self, random: Dice) -> RandomizedLeastUsedDegradationSelection[M]:
        return RandomizedLeastUsedDegradationSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)  # as with RLU: the registrar has weighed them already
