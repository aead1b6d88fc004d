"""Choosing the lowest, with round robin among equals: what PRIO, LU, LUD and PLU share (RFC 5356 section 5.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rserpool.core.dice import Dice
from rserpool.core.policies.base import Asker, M, Selection
from rserpool.core.policies.order import Order

TURN: Final = 64
"""How many bits of a rank are the turn."""
TURN_MASK: Final = (1 << TURN) - 1


class LowestFirst(Selection[M]):
    """Members by their key, and equal ones by turn: each key has a circular list of its own.

    C{rank} is the key and, below it, the turn. A new member joins behind its equals; one that registers again keeps
    its turn, so that registering often neither helps nor harms.

    @param rule: C{rule(values)} is the key of a member; the lowest is best.
    """

    __slots__ = ("_rule", "order", "turn")

    def __init__(self, rule: Callable[..., int]) -> None:
        self._rule = rule
        self.order: Order[M] = Order()
        self.turn = 0

    def __len__(self) -> int:
        return len(self.order)

    def add(self, member: M) -> None:
        self.turn += 1
        member.rank = self._rule(member.values) << TURN | self.turn
        self.order.add(member)

    def remove(self, member: M) -> None:
        self.order.remove(member)

    def update(self, member: M) -> None:
        self._move(member, self._rule(member.values) << TURN | (member.rank & TURN_MASK))

    def select(self, count: int, asker: Asker = None) -> list[M]:
        if count <= 0:
            return []
        found = self.order.first(count + 1)
        last = -1
        for place, member in enumerate(found[:count]):
            key = member.rank >> TURN
            # the head of each circular list, and it alone, moves behind its equals, if there are others
            if key != last and place + 1 < len(found) and found[place + 1].rank >> TURN == key:
                self.turn += 1
                self._move(member, key << TURN | self.turn)
            last = key
        return found[:count]

    def peek(self, count: int, asker: Asker = None) -> list[M]:
        return self.order.first(count)

    def _move(self, member: M, rank: int) -> None:
        if rank != member.rank:
            self.order.remove(member)
            member.rank = rank
            self.order.add(member)


class LowestWithDegradation(LowestFirst[M]):
    """Lowest first by the load as it will have grown with the requests since it was told (section 5.2.2).

    C{tally} is the degradation counter: the requests that the member was given. The rule is C{rule(values, given)}.
    """

    __slots__ = ()

    def add(self, member: M) -> None:
        member.tally = 0
        self.turn += 1
        member.rank = self._rule(member.values, 0) << TURN | self.turn
        self.order.add(member)

    def update(self, member: M) -> None:
        member.tally = 0  # also if the values are the same: the element has told its load anew
        self._move(member, self._rule(member.values, 0) << TURN | (member.rank & TURN_MASK))

    def select(self, count: int, asker: Asker = None) -> list[M]:
        rule = self._rule
        chosen = self.order.take(count)
        last = -1
        for member in chosen:
            rank = member.rank
            if rank >> TURN != last:  # as with LU, only the head of those that are equal has its turn behind them
                last = rank >> TURN
                self.turn = rank = self.turn + 1
            member.tally += 1  # 5.2.2: for every one that is returned
            member.rank = rule(member.values, member.tally) << TURN | (rank & TURN_MASK)
            self.order.add(member)
        return chosen


def lowest(rule: Callable[..., int]) -> Callable[[Dice], Selection[Any]]:
    """A selection of the lowest first, by C{rule(values)}."""
    return lambda random: LowestFirst(rule)


def lowest_with_degradation(rule: Callable[..., int]) -> Callable[[Dice], Selection[Any]]:
    """Lowest first by C{rule(values, given)}: how many requests the member was given since it told its values."""
    return lambda random: LowestWithDegradation(rule)
