"""The cache of a pool user: what it knows of each pool, and which elements failed it (RFC 5352 section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.policies import POLICIES, ROUND_ROBIN, Policy
from rserpool.core.profiles import Profile
from rserpool.core.user.events import Resolved
from rserpool.core.user.own import Own, Use, loads_in
from rserpool.core.user.suspects import Memory, Suspects
from rserpool.core.wire.parameters import PoolElementParameter

NOT_YET = 5.0
"""Where an earlier registrar knew a pool, "unknown" means "not yet" for so many seconds: all registrars may have been
restarted, and the elements register again by themselves. So long is a pool waited for, too, that was never there."""


MOST_POOLS = 10_000
"""So many pools are kept, those that a registrar answered about last."""
SEEN = 1000
"""So many pools are remembered that were there once."""


@dataclass(slots=True)
class CachedPool:
    """What a registrar said of a pool; C{items} is how many elements were asked for.

    @ivar moved: whether the registrar that gave it is not the home any more.
    @ivar rested: whether this user has rested since: then it is good only while it is not stale.
    @ivar unknown_since: when a later home said for the first time that it knows no such pool.
    """

    policy: int
    elements: tuple[PoolElementParameter, ...]
    received: float
    items: int | None
    turn: int = 0
    moved: bool = False
    rested: bool = False
    unknown_since: float | None = None
    loads: dict[int, tuple[int, tuple[int, ...]]] | None = field(default=None, repr=False)

    def serves(self, items: int | None) -> bool:
        """Whether it holds all that an answer for C{items} elements would hold."""
        return covers(self.items, items) or (self.items is not None and len(self.elements) < self.items)


class Cache(dict[bytes, CachedPool]):
    """The pools, by their handles."""

    def __init__(self, timers: Timers, profile: Profile, random: Dice, memory: Memory) -> None:
        super().__init__()
        self._timers = timers
        self._profile = profile
        self._random = random
        self.suspects = Suspects(timers, profile, memory)
        self._own: dict[bytes, Own] = {}
        self._seen = memory.seen
        self._uses: dict[Hashable, Use] = {}

    def store(self, handle: bytes, pool: CachedPool, asked: bool) -> CachedPool:
        """A registrar said this, perhaps because it was asked; the turn goes on where the elements are the same."""
        before = self.get(handle)
        if before is not None and before.elements == pool.elements:
            pool.turn = before.turn
        own = self._own.get(handle)
        if own is not None:
            own.told(pool.elements, asked, pool.received)
        if self.suspects:
            self.suspects.retain(handle, {element.identifier for element in pool.elements})
        self.pop(handle, None)
        self[handle] = pool
        if len(self) > MOST_POOLS:
            del self[next(iter(self))]
        self._seen.pop(handle, None)
        self._seen[handle] = None
        if len(self._seen) > SEEN:
            del self._seen[next(iter(self._seen))]
        return pool

    def current(self, pool: CachedPool, now: float) -> bool:
        """C2: whether it is not stale yet."""
        return now < pool.received + self._profile.stale_cache_value

    def patience(self, handle: bytes, seconds: float) -> float:
        """How long to wait for a pool that is unknown: so long if it was there once, else L{NOT_YET} at most."""
        return seconds if handle in self._seen else min(seconds, NOT_YET)

    def answer(self, request: Hashable, handle: bytes, items: int | None, now: float) -> Resolved:
        """What the cache says, in the order of the pool's policy; elements that just failed come last.

        The first one is taken to be given the request, see L{begin}.
        """
        pool = self[handle]
        policy = POLICIES.find(pool.policy) or ROUND_ROBIN
        suspects = self.suspects
        good: tuple[PoolElementParameter, ...] = pool.elements
        bad: list[PoolElementParameter] = []
        if suspects:
            split: tuple[list[PoolElementParameter], list[PoolElementParameter]] = ([], [])
            for each in pool.elements:
                split[suspects.has(handle, each.identifier, now)].append(each)
            good, bad = tuple(split[0]), split[1]
        order = policy.user_order(good, pool.turn, self._random)
        if policy.estimate is not None:
            order = self._by_load(handle, pool, policy, order, now)
        if bad:
            order += policy.user_order(bad, pool.turn, self._random)
        pool.turn += 1
        if order and suspects:
            suspects.chosen(handle, order[0].identifier, now)
        return Resolved(request, handle, pool.policy, tuple(order[:items]), now - pool.received)

    def _by_load(
        self, handle: bytes, pool: CachedPool, policy: Policy, order: list[PoolElementParameter], now: float
    ) -> list[PoolElementParameter]:
        """RFC 5356 5.1 to 5.3 count no request of this user before the registrar is asked again; we do."""
        own = self._own.setdefault(handle, Own())
        if now >= own.since + self._profile.stale_cache_value:
            own.forget(now)
        if pool.loads is None:
            pool.loads = loads_in(policy.user_order(pool.elements, 0, self._random), policy)
        order = own.in_order(order, pool.loads, policy, now)
        if order:
            own.give(order[0].identifier)
        return order

    def begin(self, use: Hashable, handle: bytes, identifier: int, instead_of: int) -> None:
        """An element is given a request, which is under way now.

        @param instead_of: who came first in the answer, and was not tried; or the same, or 0.
        """
        own = self._own.get(handle)
        if own is not None:
            if identifier != instead_of:
                own.take_back(instead_of)
                own.give(identifier)
            self._uses[use] = own.begin(identifier)

    def accepted(self, use: Hashable, handle: bytes, identifier: int, over: Callable[[], bool] | None) -> None:
        """The element can be reached.

        @param over: whether what it was given is not under way any more; None if L{end} will tell that.
        """
        self.suspects.remove(handle, identifier)
        if over is not None:
            begun, own = self._uses.pop(use, None), self._own.get(handle)
            if begun is not None and own is not None:
                own.watch(begun, over)

    def end(self, use: Hashable) -> None:
        """What an element was given is not under way any more."""
        begun = self._uses.pop(use, None)
        if begun is not None:
            begun.end()

    def home_lost(self) -> None:
        """What is known is not the home's any more."""
        for pool in self.values():
            pool.moved = True

    def rest(self) -> None:
        """Nobody wants anything for now."""
        for pool in self.values():
            pool.rested = True

    def not_yet(self, handle: bytes, now: float) -> bool:
        """Whether a pool that this registrar does not know, and an earlier one did, may still come back."""
        pool = self.get(handle)
        if pool is None or not pool.moved:
            return False
        if pool.unknown_since is None:
            pool.unknown_since = now
        return now < pool.unknown_since + NOT_YET


def covers(asked: int | None, items: int | None) -> bool:
    """Whether a request for C{asked} elements gives enough for who wants C{items}."""
    return asked is None or (items is not None and items <= asked)
