"""Randomized Priority Least Used with Degradation: a policy of rsplib's own (see RFC 5356 sections 5.2 to 5.4)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import FULL_LOAD, M, Policy, T, shuffled
from rserpool.core.policies.rlud import RandomizedLeastUsedDegradationSelection


class RandomizedPriorityLeastUsedDegradationSelection(RandomizedLeastUsedDegradationSelection[M]):
    """A lottery by what would be left of each member after one more request than were given."""

    __slots__ = ()

    def weight(self, member: M) -> int:
        load, degradation = member.values
        return max(0, FULL_LOAD - load - (member.rank + 1) * degradation)


class RandomizedPriorityLeastUsedDegradation(Policy):
    """Any element, as likely as its load is low when it has taken the request, counting what they were given."""

    number = 0xB0001004
    name = "randomized-priority-least-used-degradation"
    abbreviation = "RPLUD"
    fields = ("load", "degradation")

    def selection(self, random: Dice) -> RandomizedPriorityLeastUsedDegradationSelection[M]:
        return RandomizedPriorityLeastUsedDegradationSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)  # as with RLU: the registrar has weighed them already
