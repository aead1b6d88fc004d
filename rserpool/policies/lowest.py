"""Choosing the lowest, with round robin among equals: what PRIO, LU, LUD and PLU share (RFC 5356 section 5.1.2)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from rserpool.policies.base import M, Selection
from rserpool.policies.order import Order

_TURN: Final = 64
_TURN_MASK: Final = (1 << _TURN) - 1


class LowestFirst(Selection[M]):
    """Members by their key, and equal ones by turn: each key has a circular list of its own.

    C{rank} is the key and, below it, the turn. A new member joins behind its equals; one that registers again keeps
    its turn, so that registering often neither helps nor harms.
    """

    __slots__ = ("_order", "_turn")

    def __init__(self) -> None:
        self._order: Order[M] = Order()
        self._turn = 0

    @abstractmethod
    def key(self, member: M) -> int:
        """What to choose by; the lowest is best."""

    def chosen(self, member: M) -> None:
        """A member was chosen: where that changes its key, note it here."""

    def __len__(self) -> int:
        return len(self._order)

    def add(self, member: M) -> None:
        self._turn += 1
        member.rank = self.key(member) << _TURN | self._turn
        self._order.add(member)

    def remove(self, member: M) -> None:
        self._order.remove(member)

    def update(self, member: M) -> None:
        self._move(member, self.key(member) << _TURN | (member.rank & _TURN_MASK))

    def select(self, count: int) -> list[M]:
        chosen = self._order.first(count)
        last = -1
        for member in chosen:
            key, turn = member.rank >> _TURN, member.rank & _TURN_MASK
            if key != last:  # the head of each circular list, and it alone, moves behind its equals
                last = key
                self._turn = turn = self._turn + 1
            self.chosen(member)
            self._move(member, self.key(member) << _TURN | turn)
        return chosen

    def peek(self, count: int) -> list[M]:
        return self._order.first(count)

    def _move(self, member: M, rank: int) -> None:
        if rank != member.rank:
            self._order.remove(member)
            member.rank = rank
            self._order.add(member)
