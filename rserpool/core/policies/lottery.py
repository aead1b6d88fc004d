"""Choosing at random, without putting back: all alike, or by weight (RFC 5356 sections 4.3, 4.4 and 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from math import log
from typing import Any, Final

from rserpool.core.dice import Dice
from rserpool.core.policies.base import Asker, M, Selection

_BITS: Final = 32
"""Weights are below 2**32."""


class AllAlike(Selection[M]):
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

    def select(self, count: int, asker: Asker = None) -> list[M]:
        return self._random.sample(self._members, max(0, min(count, len(self._members))))

    peek = select


class Lottery(Selection[M]):
    """Members in buckets, by the number of bits of their weight.

    A bucket is drawn by its sum of weights, and in it any member, which is then taken with the probability of its
    weight to the largest of that many bits: at least one half. C{share} is the weight, C{tally} the place in the
    bucket. Bucket 0 holds those of weight 0.

    @param rule: C{rule(values)} is the weight of a member: 0 to 2**32-1.
    @param full: whether weight 0 is a member that is full, and selected, all alike, if all are; else never.
    """

    __slots__ = ("_buckets", "_full", "_length", "_random", "_rule", "_sums", "_total")

    def __init__(self, random: Dice, rule: Callable[..., int], full: bool) -> None:
        self._random = random
        self._rule = rule
        self._full = full
        self._buckets: list[list[M]] = [[] for _ in range(_BITS + 1)]
        self._sums = [0] * (_BITS + 1)
        self._total = 0
        self._length = 0

    def weight(self, member: M) -> int:
        """The weight of a member now: 0 to 2**32-1."""
        return self._rule(member.values)

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

    def select(self, count: int, asker: Asker = None) -> list[M]:
        if not self._total:
            return self._random.sample(self._buckets[0], max(0, min(count, self._length))) if self._full else []
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

    peek = select

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


class LotteryWithDegradation(Lottery[M]):
    """A lottery that counts what each member was given since it told its load.

    C{rank} is the degradation counter of RFC 5356 section 5.2.2; C{tally} is the lottery's. The rule is
    C{rule(values, given)}.
    """

    __slots__ = ()

    def weight(self, member: M) -> int:
        return self._rule(member.values, member.rank)

    def add(self, member: M) -> None:
        member.rank = 0
        super().add(member)

    def update(self, member: M) -> None:
        member.rank = 0
        super().update(member)

    def select(self, count: int, asker: Asker = None) -> list[M]:
        chosen = super().select(count)
        for member in chosen:
            member.rank += 1
            super().update(member)
        return chosen


def by_weight(rule: Callable[..., int]) -> Callable[[Dice], Selection[Any]]:
    """A lottery by C{rule(values)}; 0 is never selected (RFC 5356 section 3.2: it is not capable of any service)."""
    return lambda random: Lottery(random, rule, full=False)


def by_what_is_left(rule: Callable[..., int]) -> Callable[[Dice], Selection[Any]]:
    """A lottery by C{rule(values)}, what is left of a member until it is full; if all are full, all alike (5.4)."""
    return lambda random: Lottery(random, rule, full=True)


def by_what_is_left_with_degradation(rule: Callable[..., int]) -> Callable[[Dice], Selection[Any]]:
    """The same by C{rule(values, given)}: how many requests the member was given since it told its values."""
    return lambda random: LotteryWithDegradation(random, rule, full=True)
