"""Priority (RFC 5356 section 4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T
from rserpool.core.policies.lowest import LowestFirst

_HIGHEST: Final = 0xFFFFFFFF


class PrioritySelection(LowestFirst[M]):
    """Highest priority first."""

    __slots__ = ()

    def key(self, member: M) -> int:
        return _HIGHEST - member.values[0]


class Priority(Policy):
    """The elements of the highest priority."""

    number = 0x00000005
    name = "priority"
    abbreviation = "PRIO"
    fields = ("priority",)

    def selection(self, random: Dice) -> Selection[M]:
        return PrioritySelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        # 4.5.3: the user too MUST take the highest, whatever order it was told them in
        return sorted(elements, key=self._priority, reverse=True)

    def _priority(self, element: T) -> int:
        policy = element.policy
        if policy.type != self.number or len(policy.data) < 4:
            return -1
        return self.decode(policy.data)[0]
