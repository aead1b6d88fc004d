"""What a user has itself asked of the elements of one pool: its part of their load (beyond RFC 5356 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rserpool.core.policies import Policy
from rserpool.core.policies.table import GUESSES
from rserpool.core.wire.parameters import PoolElementParameter

LOOK = 0.05
"""Seconds after which those that cannot tell when they are over are looked at again: there may be a thousand."""
_UNKNOWN = 1 << 40
"""A load above all that can be told: that of an element of another policy."""


@dataclass(slots=True)
class _Share:
    """Of one element.

    @ivar given: requests since it told its load.
    @ivar kept: those of before that are still under way.
    @ivar under_way: all that are.
    @ivar told: how often it told its load.
    @ivar turn: when it was given something last.
    """

    given: int = 0
    kept: int = 0
    under_way: int = 0
    told: int = 0
    turn: int = 0

    def tell(self) -> None:
        """What it has told has what was given to it in it, but perhaps not what is under way."""
        self.given, self.kept = 0, self.under_way
        self.told += 1


@dataclass(slots=True)
class Use:
    """One request, session or connection; the time of which it is, in C{told}."""

    share: _Share
    told: int
    over: Callable[[], bool] | None = None

    def end(self) -> None:
        """It is not under way any more."""
        self.share.under_way -= 1
        if self.told != self.share.told:
            self.share.kept -= 1


class Own:
    """Counts requests for each element of a pool: what is under way, and what was sent since the registrar's answer.

    @ivar since: when all of it was counted anew for the last time.
    @ivar _guess: what part a request has of what it is taken to cost, where the element does not say that.
    """

    def __init__(self) -> None:
        self.since = 0.0
        self._guess = 1.0
        self._elements = 1
        self._shares: dict[int, _Share] = {}
        self._open: list[Use] = []
        self._looked = 0.0
        self._turn = 0

    def told(self, elements: Iterable[PoolElementParameter], asked: bool, now: float) -> None:
        """The registrar has said what the pool is like.

        @param asked: whether it was asked. Its order is then a new one; in what it says by itself it is not, and among
            equal ones those come first to which nothing was given for longest.
        """
        there = {element.identifier for element in elements}
        self._elements = max(1, len(there))
        for identifier in [each for each in self._shares if each not in there]:
            del self._shares[identifier]
        self.forget(now)
        if asked:
            for share in self._shares.values():
                share.turn = 0

    def forget(self, now: float) -> None:
        """Count anew; what is under way still counts."""
        self.since = now
        self._look(now)
        # The requests of one answer's time are no more than a full load of each.
        fair = sum(share.given for share in self._shares.values()) / self._elements
        self._guess = min(1.0, GUESSES / fair) if fair else 1.0
        for share in self._shares.values():
            share.tell()

    def give(self, identifier: int) -> None:
        """An element is given a request."""
        share = self._shares.setdefault(identifier, _Share())
        share.given += 1
        self._turn += 1
        share.turn = self._turn

    def take_back(self, identifier: int) -> None:
        """It was not given to this element."""
        share = self._shares.get(identifier)
        if share is not None and share.given:
            share.given -= 1

    def begin(self, identifier: int) -> Use:
        """What an element was given is under way."""
        share = self._shares.setdefault(identifier, _Share())
        share.under_way += 1
        return Use(share, share.told)

    def watch(self, use: Use, over: Callable[[], bool]) -> None:
        """It is under way until C{over()}, which is looked at now and then."""
        use.over = over
        self._open.append(use)

    def in_order(
        self,
        elements: list[PoolElementParameter],
        loads: Mapping[int, tuple[int, tuple[int, ...]]],
        policy: Policy,
        now: float,
    ) -> list[PoolElementParameter]:
        """The elements by their load as it was told and what was added by us.

        @param loads: see L{loads_in}.
        """
        if now >= self._looked + LOOK:
            self._look(now)
        estimate, guess = policy.estimate, self._guess
        assert estimate is not None

        def key(element: PoolElementParameter) -> tuple[int, int, int]:
            load, values = loads[element.identifier]
            share = self._shares.get(element.identifier)
            if share is None:
                return load, 0, 0
            count = share.given + share.kept
            more = estimate(values, count) - estimate(values, 0) if values and count else 0
            if guess < 1.0 and more and policy.unsaid(values):
                more = int(more * guess)
            return load + more, count, share.turn

        return sorted(elements, key=key)

    def _look(self, now: float) -> None:
        """Which of those that are watched are over."""
        self._looked = now
        going = []
        for use in self._open:
            assert use.over is not None
            if use.over():
                use.end()
            else:
                going.append(use)
        self._open = going


def loads_in(order: Iterable[PoolElementParameter], policy: Policy) -> dict[int, tuple[int, tuple[int, ...]]]:
    """The load and the policy's values of each element, by identifier.

    The registrar may know better than the values say: who comes later in its order has no lower load.
    """
    loads: dict[int, tuple[int, tuple[int, ...]]] = {}
    lowest = 0
    for element in order:
        values: tuple[int, ...] = ()
        load = _UNKNOWN
        if element.policy.type == policy.number and policy.estimate is not None:
            try:
                values = policy.decode(element.policy.data)
                load = policy.estimate(values, 0)
            except ValueError:
                pass
        lowest = max(lowest, load)
        loads[element.identifier] = lowest, values
    return loads
