"""Members sorted by rank: what the policies that have an order keep their members in.

Blocks of some hundred members, found by bisection: nothing here takes more than O(log n) comparisons and moving
a few kilobytes, no member leaves anything behind when it goes, and the first ones can be looked at without
moving them. (A lazy heap has to take its first ones out to show them, and to be rebuilt at times.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Final, Generic

from rserpool.core.policies.base import M

_RANK: Final = attrgetter("rank")
_BLOCK: Final = 256
"""The most members of a block."""
_SMALL: Final = _BLOCK // 4
"""Below this a block is joined with its neighbour."""


class Order(Generic[M]):
    """Members in ascending order of rank; ranks are unique, and fixed while a member is in here.

    @param rank: what gives the rank of a member.
    """

    __slots__ = ("_blocks", "_lasts", "_length", "_rank", "_ranks")

    def __init__(self, rank: Callable[[M], Any] = _RANK) -> None:
        self._rank = rank
        self._blocks: list[list[M]] = []
        self._ranks: list[list[Any]] = []  # the ranks of the members of each block
        self._lasts: list[Any] = []  # the highest of them
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[M]:
        for block in self._blocks:
            yield from block

    def add(self, member: M) -> None:
        """Put a member where its rank belongs."""
        rank = self._rank(member)
        lasts = self._lasts
        self._length += 1
        at = bisect_left(lasts, rank)
        if at == len(lasts):
            self._append(member, rank)
            return
        block, ranks = self._blocks[at], self._ranks[at]
        place = bisect_left(ranks, rank)
        block.insert(place, member)
        ranks.insert(place, rank)
        if len(block) > _BLOCK:
            half = _BLOCK // 2
            self._blocks.insert(at, block[:half])
            self._ranks.insert(at, ranks[:half])
            lasts.insert(at, ranks[half - 1])
            del block[:half], ranks[:half]

    def remove(self, member: M) -> None:
        """Take a member out.

        @raise ValueError: if it is not there.
        """
        rank = self._rank(member)
        at = bisect_left(self._lasts, rank)
        if at < len(self._lasts):
            block, ranks = self._blocks[at], self._ranks[at]
            place = bisect_left(ranks, rank)
            if block[place] is member:
                del block[place], ranks[place]
                self._length -= 1
                self._shrunk(at)
                return
        raise ValueError("the member is not in this order")

    def first(self, count: int) -> list[M]:
        """The C{count} members of lowest rank, or all if there are fewer."""
        if count <= 0 or not self._blocks:
            return []
        found = self._blocks[0][:count]
        at = 1
        while len(found) < count and at < len(self._blocks):
            found += self._blocks[at][: count - len(found)]
            at += 1
        return found

    def take(self, count: int) -> list[M]:
        """The same, and take them out."""
        taken = self.first(count)
        left = len(taken)
        self._length -= left
        while left:
            ranks = self._ranks[0]
            here = min(left, len(ranks))
            left -= here
            del self._blocks[0][:here], ranks[:here]
            self._shrunk(0)
        return taken

    def _append(self, member: M, rank: Any) -> None:
        """Put a member behind all others: blocks that grow only there stay full."""
        if self._blocks and len(self._blocks[-1]) < _BLOCK:
            self._blocks[-1].append(member)
            self._ranks[-1].append(rank)
            self._lasts[-1] = rank
        else:
            self._blocks.append([member])
            self._ranks.append([rank])
            self._lasts.append(rank)

    def _shrunk(self, at: int) -> None:
        """Some are gone from a block."""
        ranks = self._ranks[at]
        if not ranks:
            del self._blocks[at], self._ranks[at], self._lasts[at]
            return
        self._lasts[at] = ranks[-1]
        if len(ranks) < _SMALL:
            self._join(at)
            self._join(at - 1)

    def _join(self, at: int) -> None:
        """Make one block of this one and the one behind it, if there are both and together they are not too large."""
        blocks, ranks = self._blocks, self._ranks
        if 0 <= at < len(blocks) - 1 and len(blocks[at]) + len(blocks[at + 1]) <= _BLOCK:
            blocks[at] += blocks[at + 1]
            ranks[at] += ranks[at + 1]
            del blocks[at + 1], ranks[at + 1], self._lasts[at]
