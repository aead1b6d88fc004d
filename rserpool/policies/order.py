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

from rserpool.policies.base import M

_RANK: Final = attrgetter("rank")
_BLOCK: Final = 512
"""The most members of a block."""
_SMALL: Final = _BLOCK // 4
"""Below this a block is joined with its neighbour."""


class Order(Generic[M]):
    """Members in ascending order of rank; ranks are unique, and fixed while a member is in here.

    @param rank: what gives the rank of a member.
    """

    __slots__ = ("_blocks", "_lasts", "_length", "_rank")

    def __init__(self, rank: Callable[[M], Any] = _RANK) -> None:
        self._rank = rank
        self._blocks: list[list[M]] = []
        self._lasts: list[Any] = []  # the rank of the last member of each block
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[M]:
        for block in self._blocks:
            yield from block

    def add(self, member: M) -> None:
        """Put a member where its rank belongs."""
        rank = self._rank(member)
        blocks, lasts = self._blocks, self._lasts
        self._length += 1
        at = bisect_left(lasts, rank)
        if at == len(blocks):  # behind all others: blocks that grow only at the end stay full
            if at and len(blocks[-1]) < _BLOCK:
                blocks[-1].append(member)
                lasts[-1] = rank
            else:
                blocks.append([member])
                lasts.append(rank)
            return
        block = blocks[at]
        block.insert(bisect_left(block, rank, key=self._rank), member)
        if len(block) > _BLOCK:
            half = block[: _BLOCK // 2]
            del block[: _BLOCK // 2]
            blocks.insert(at, half)
            lasts.insert(at, self._rank(half[-1]))

    def remove(self, member: M) -> None:
        """Take a member out.

        @raise ValueError: if it is not there.
        """
        rank = self._rank(member)
        blocks, lasts = self._blocks, self._lasts
        at = bisect_left(lasts, rank)
        block = blocks[at] if at < len(blocks) else []
        place = bisect_left(block, rank, key=self._rank)
        if place == len(block) or block[place] is not member:
            raise ValueError("the member is not in this order")
        del block[place]
        self._length -= 1
        if not block:
            del blocks[at], lasts[at]
            return
        if place == len(block):
            lasts[at] = self._rank(block[-1])
        if len(block) < _SMALL:
            self._join(at)
            self._join(at - 1)

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

    def _join(self, at: int) -> None:
        """Make one block of this one and the one behind it, if there are both and together they are not too large."""
        blocks = self._blocks
        if 0 <= at < len(blocks) - 1 and len(blocks[at]) + len(blocks[at + 1]) <= _BLOCK:
            blocks[at] += blocks[at + 1]
            del blocks[at + 1], self._lasts[at]
