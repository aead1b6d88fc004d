"""Choosing at random by weight, without putting back: what WRAND and RLU share (RFC 5356 sections 4.4 and 5.4)."""

from __future__ import annotations

from abc import abstractmethod
from heapq import nsmallest
from math import log
from typing import Final

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Selection

_BITS: Final = 32
"""Weights are below 2**32."""


class Lottery(Selection[M]):
    """Members in buckets, by the number of bits of their weight.

    A bucket is drawn by its sum of weights, and in it any member, which is then taken with the probability of its
    weight to the largest of that many bits: at least one half. C{share} is the weight, C{tally} the place in the
    bucket. Bucket 0 holds those of weight 0.
    """

    __slots__ = ("_buckets", "_length", "_random", "_sums", "_total")

    def __init__(self, random: Dice) -> None:
        self._random = random
        self._buckets: list[list[M]] = [[] for _ in range(_BITS + 1)]
        self._sums = [0] * (_BITS + 1)
        self._total = 0
        self._length = 0

    @abstractmethod
    def weight(self, member: M) -> int:
        """The weight of a member: 0 to 2**32-1."""

    def __len__(self) -> int:
        return self._length

    def add(self, member: M) -> None:
        self._length += 1
        member.share = self.weight(member)
        self._put(member)

    def remove(self, member: M) -> None:
        self._length -= 1
        self._take(member)

    def update(self, member: M) -> None:
        weight = self.weight(member)
        if weight != member.share:
            self._take(member)
            member.share = weight
            self._put(member)

    def select(self, count: int) -> list[M]:
        if not self._total:
            return []
        able = self._length - len(self._buckets[0])
        if count * 4 > able:
            return self._sorted(count)
        chosen = []
        for _ in range(count):
            member = self._draw()
            self._take(member)
            chosen.append(member)
        for member in chosen:
            self._put(member)
        return chosen

    def peek(self, count: int) -> list[M]:
        return self.select(count)

    def weightless(self, count: int) -> list[M]:
        """At most C{count} of the members that have weight 0, all alike."""
        bucket = self._buckets[0]
        return self._random.sample(bucket, max(0, min(count, len(bucket))))

    def _put(self, member: M) -> None:
        weight = member.share
        bits = weight.bit_length()
        bucket = self._buckets[bits]
        member.tally = len(bucket)
        bucket.append(member)
        self._sums[bits] += weight
        self._total += weight

    def _take(self, member: M) -> None:
        weight = member.share
        bits = weight.bit_length()
        bucket = self._buckets[bits]
        last = bucket.pop()
        if last is not member:
            bucket[member.tally] = last
            last.tally = member.tally
        self._sums[bits] -= weight
        self._total -= weight

    def _draw(self) -> M:
        random, sums = self._random, self._sums
        ticket = random.randrange(self._total)
        bits = _BITS
        while ticket >= sums[bits]:
            ticket -= sums[bits]
            bits -= 1
        bucket = self._buckets[bits]
        while True:
            member = bucket[random.randrange(len(bucket))]
            if random.getrandbits(bits) < member.share:
                return member

    def _sorted(self, count: int) -> list[M]:
        """Many of them: the first of those who wait exponential times, with the weights as rates.

        That is drawing without putting back (Efraimidis and Spirakis, Information Processing Letters 97, 2006).
        """
        random = self._random.random
        members = [member for bucket in self._buckets[1:] for member in bucket]
        return nsmallest(count, members, key=lambda member: -log(1.0 - random()) / member.share)
