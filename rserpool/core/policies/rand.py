"""Random (RFC 5356 section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, Selection, T, shuffled


class RandomSelection(Selection[M]):
    """Members in any order; C{tally} is where a member stands."""

    __slots__ = ("_members", "_random")

    def __init__(self, random: Dice) -> None:
        self._members: list[M] = []
        self._random = random

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: M) -> None:
        member.tally = len(self._members)
        self._members.append(member)

    def remove(self, member: M) -> None:
        last = self._members.pop()
        if last is not member:
            self._members[member.tally] = last
            last.tally = member.tally

    def update(self, member: M) -> None:
        pass

    def select(self, count: int) -> list[M]:
        return self._random.sample(self._members, max(0, min(count, len(self._members))))

    def peek(self, count: int) -> list[M]:
        return self.select(count)


class Random(Policy):
    """Any element, all alike."""

    number = 0x00000003
    name = "random"
    abbreviation = "RAND"

    def selection(self, random: Dice) -> RandomSelection[M]:
        return RandomSelection(random)

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return shuffled(elements, random)
