"""Choosing each as often as its weight says: WRR (RFC 5356 section 4.2) by stride scheduling.

The circular list of the RFC is never written out. Each member has a position on the ring, and its next one lies
1/weight of a round further: the entries of one member are evenly spread, and the list goes through the members in
the order of their positions. A round is C{ROUND} units long, and what division leaves over is carried along, so that
a member of weight w has exactly w entries in each round, for any weight up to 2**32-1 and for ever.

(Stride scheduling: Waldspurger and Weihl, MIT/LCS/TM-528, 1995.)
"""

from __future__ import annotations

from typing import Final

from rserpool.core.policies.base import Asker, M, Selection
from rserpool.core.policies.order import Order

ROUND: Final = 1 << 64
_TURN: Final = 64
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio: its multiples, modulo 2**64, spread evenly however many there are."""


class WeightedRoundRobin(Selection[M]):
    """Members by their next position on the ring; those of weight 0 have none, and are never selected.

    C{rank} is the position and, below it, the turn that decides between equal ones: who had it longest ago is
    first. C{share} is the weight, C{tally} the remainder.
    """

    __slots__ = ("_joined", "_length", "_order", "_position", "_turn")

    def __init__(self) -> None:
        self._order: Order[M] = Order()
        self._length = 0
        self._position = 0  # of the entry that was the head most recently
        self._turn = 0
        self._joined = 0

    def __len__(self) -> int:
        return self._length

    def add(self, member: M) -> None:
        self._length += 1
        self._join(member)

    def remove(self, member: M) -> None:
        self._length -= 1
        if member.share:
            self._order.remove(member)

    def update(self, member: M) -> None:
        old, new = member.share, member.values[0]
        if old == new:
            return
        if not old:
            self._join(member)
            return
        self._order.remove(member)
        member.share = new
        if new:  # the part of its way to the next entry that lies before it stays the same
            left = (member.rank >> _TURN) - self._position
            member.tally = 0
            self._place(member, self._position + left * old // new)

    def select(self, count: int, asker: Asker = None) -> list[M]:
        chosen = self._order.first(count)
        for head in self._order.take(1) if chosen else ():
            self._position = head.rank >> _TURN
            step, left = divmod(ROUND, head.share)
            head.tally += left
            if head.tally >= head.share:
                head.tally -= head.share
                step += 1
            self._place(head, self._position + step)
        return chosen

    def peek(self, count: int, asker: Asker = None) -> list[M]:
        return self._order.first(count)

    def _join(self, member: M) -> None:
        """Start somewhere within one entry's distance: neither at once, nor later than an old member would."""
        member.share = member.values[0]
        member.tally = 0
        if member.share:
            self._joined += 1
            phase = self._joined * _GOLDEN % ROUND
            self._place(member, self._position + 1 + phase // member.share)

    def _place(self, member: M, position: int) -> None:
        self._turn += 1
        member.rank = position << _TURN | self._turn
        self._order.add(member)
