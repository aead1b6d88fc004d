"""Choosing the lowest, with round robin among equals: what PRIO, LU, LUD and PLU share (RFC 5356 section 5.1.2)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from rserpool.core.policies.base import M, Selection
from rserpool.core.policies.order import Order

TURN: Final = 64
"""How many bits of a rank are the turn."""
TURN_MASK: Final = (1 << TURN) - 1


class LowestFirst(Selection[M]):
    """Members by their key, and equal ones by turn: each key has a circular list of its own.

    C{rank} is the key and, below it, the turn. A new member joins behind its equals; one that registers again keeps
    its turn, so that registering often neither helps nor harms.
    """

    __slots__ = ("order", "turn")

    def __init__(self) -> None:
        self.order: Order[M] = Order()
        self.turn = 0

    @abstractmethod
    def key(self, member: M) -> int:
        """What to choose by; the lowest is best."""

    def __len__(self) -> int:
        return len(self.order)

    def add(self, member: M) -> None:
        self.turn += 1
        member.rank = self.key(member) << TURN | self.turn
        self.order.add(member)

    def remove(self, member: M) -> None:
        self.order.remove(member)

    def update(self, member: M) -> None:
        self._move(member, self.key(member) << TURN | (member.rank & TURN_MASK))

    def select(self, count: int) -> list[M]:
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

    def peek(self, count: int) -> list[M]:
        return self.order.first(count)

    def _move(self, member: M, rank: int) -> None:
        if rank != member.rank:
            self.order.remove(member)
            member.rank = rank
            self.order.add(member)
