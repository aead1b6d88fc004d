"""Choosing each in its turn: RR, the default policy (RFC 5356 section 4.1.2)."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from rserpool.core.policies.base import Asker, M, Selection


class RoundRobin(Selection[M]):
    """The circular list; its head is the first of the dictionary, and a new member joins just behind all others."""

    __slots__ = ("_ring",)
    IN_TURN = True

    def __init__(self) -> None:
        self._ring: OrderedDict[M, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, member: M) -> None:
        self._ring[member] = None

    def remove(self, member: M) -> None:
        del self._ring[member]

    def update(self, member: M) -> None:
        pass  # a member that registers again keeps its place

    def select(self, count: int, asker: Asker = None) -> list[M]:
        chosen = self.peek(count)
        if chosen:
            self._ring.move_to_end(chosen[0])  # 4.1.2: the head advances by one
        return chosen

    def next_in_turn(self) -> M:
        head = next(iter(self._ring))
        self._ring.move_to_end(head)
        return head

    def peek(self, count: int, asker: Asker = None) -> list[M]:
        return list(islice(self._ring, max(count, 0)))
