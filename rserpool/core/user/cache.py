"""The cache of a pool user: what it knows of each pool, and which elements failed it (RFC 5352 section 3.3)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.policies import POLICIES, ROUND_ROBIN
from rserpool.core.profiles import Profile
from rserpool.core.user.events import Resolved
from rserpool.core.wire.parameters import PoolElementParameter

NOT_YET = 5.0
"""Where an earlier registrar knew a pool, "unknown" means "not yet" for so many seconds: all registrars may have been
restarted, and the elements register again by themselves."""


@dataclass(slots=True)
class CachedPool:
    """What a registrar said of a pool; C{items} is how many elements were asked for.

    @ivar moved: whether the registrar that gave it is not the home any more.
    @ivar unknown_since: when a later home said for the first time that it knows no such pool.
    """

    policy: int
    elements: tuple[PoolElementParameter, ...]
    received: float
    items: int | None
    turn: int = 0
    moved: bool = False
    unknown_since: float | None = None

    def serves(self, items: int | None) -> bool:
        """Whether it holds all that an answer for C{items} elements would hold."""
        return covers(self.items, items) or (self.items is not None and len(self.elements) < self.items)


class Cache(dict[bytes, CachedPool]):
    """The pools, by their handles."""

    def __init__(self, timers: Timers, profile: Profile, random: Dice) -> None:
        super().__init__()
        self._timers = timers
        self._profile = profile
        self._random = random
        self._suspects: set[tuple[bytes, int]] = set()

    def store(self, handle: bytes, pool: CachedPool) -> CachedPool:
        """A registrar said this; the turn goes on where the elements are the same."""
        before = self.get(handle)
        if before is not None and before.elements == pool.elements:
            pool.turn = before.turn
        self[handle] = pool
        return pool

    def current(self, pool: CachedPool, now: float) -> bool:
        """C2: whether it is not stale yet."""
        return now < pool.received + self._profile.stale_cache_value

    def answer(self, request: Hashable, handle: bytes, items: int | None, now: float) -> Resolved:
        """What the cache says, in the order of the pool's policy; elements that just failed come last."""
        pool = self[handle]
        policy = POLICIES.get(pool.policy, ROUND_ROBIN)
        order = policy.user_order(pool.elements, pool.turn, self._random)
        pool.turn += 1
        if self._suspects:
            order.sort(key=lambda element: self._suspected(handle, element.identifier, now))
        return Resolved(request, handle, pool.policy, tuple(order[:items]), now - pool.received)

    def home_lost(self) -> None:
        """What is known is not the home's any more."""
        for pool in self.values():
            pool.moved = True

    def not_yet(self, handle: bytes, now: float) -> bool:
        """Whether a pool that this registrar does not know, and an earlier one did, may still come back."""
        pool = self.get(handle)
        if pool is None or not pool.moved:
            return False
        if pool.unknown_since is None:
            pool.unknown_since = now
        return now < pool.unknown_since + NOT_YET

    def suspect(self, handle: bytes, identifier: int, now: float) -> bool:
        """An element could not be reached: it comes last for a while; whether it should be reported (3.5: once)."""
        before = self._suspected(handle, identifier, now)
        self._suspects.add((handle, identifier))
        self._timers.set(("suspect", handle, identifier), now + 2 * self._profile.keep_alive_timeout)
        return not before

    def forgive(self, handle: bytes, identifier: int) -> None:
        """The while is over."""
        self._suspects.discard((handle, identifier))

    def _suspected(self, handle: bytes, identifier: int, now: float) -> bool:
        until = self._timers.when(("suspect", handle, identifier))
        return until is not None and until > now


def covers(asked: int | None, items: int | None) -> bool:
    """Whether a request for C{asked} elements gives enough for who wants C{items}."""
    return asked is None or (items is not None and items <= asked)
