"""Randomized Priority Least Used: a policy of rsplib's own, made of RLU and PLU (RFC 5356 sections 5.3 and 5.4)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import FULL_LOAD, M, Policy, T, shuffled
from rserpool.core.policies.rlu import RandomizedLeastUsedSelection


class RandomizedPriorityLeastUsedSelection(RandomizedLeastUsedSelection[M]):
    """A lottery by what would be left of each member after one more request."""

    __slots__ = ()

    def weight(self, member: M) -> int:
        load, degradation = member.values
        return max(0, FULL_LOAD - load - degradation)


class RandomizedPriorityLeastUsed(Policy):
    """Any element, as likely as its load is low when it has taken the request."""

    number = 0xB0001001
    name = "randomized-priority-least-used"
    abbreviation = "RPLU"
    fields = ("load", "degradation")

    def selection(self, random: Dice) -> RandomizedPriorityLeastUsedSelection[M]:
        return RandomizedPriorityLeastUsedSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)  # as with RLU: the registrar has weighed them already
