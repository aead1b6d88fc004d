"""Elements that an operator evicted: for a while no registrar takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rserpool.core.frozen import frozen
from rserpool.core.wire.parameters import PoolElementParameter, UserTransport

LONGEST: Final = 7 * 86_400
"""Seconds for which an element may be evicted."""
MOST: Final = 1_000
"""So many are evicted at once; of more, those whose time is over first are forgotten."""


@frozen
class Evicted:
    """An element that is refused until C{until} (monotonic seconds), as it was when it was evicted."""

    handle: bytes
    element: PoolElementParameter
    until: float

    def is_it(self, handle: bytes, element: PoolElementParameter) -> bool:
        """Whether it is this element: by its identifier, or, restarted with another, by the place where it serves."""
        if handle != self.handle:
            return False
        return element.identifier == self.element.identifier or _same_place(
            element.user_transport, self.element.user_transport
        )


class Evictions:
    """Who is refused, and until when; every registrar has its own, and is told of the others'."""

    def __init__(self) -> None:
        self._all: list[Evicted] = []

    def __len__(self) -> int:
        return len(self._all)

    def evict(self, handle: bytes, element: PoolElementParameter, seconds: int, now: float) -> None:
        """Refuse it for so many seconds from now on, instead of what was said of it before."""
        self._forget(now)
        self._all = [each for each in self._all if not each.is_it(handle, element)]
        self._all.append(Evicted(handle, element, now + min(seconds, LONGEST)))
        if len(self._all) > MOST:
            self._all.remove(min(self._all, key=lambda each: each.until))

    def find(self, handle: bytes, identifier: int, now: float) -> Evicted | None:
        """The element of this identifier, if it is evicted."""
        self._forget(now)
        found = (each for each in self._all if (each.handle, each.element.identifier) == (handle, identifier))
        return next(found, None)

    def some_of(self, handle: bytes) -> bool:
        """Whether any element of a pool is evicted, or was of late."""
        return any(each.handle == handle for each in self._all)

    def refuses(self, handle: bytes, element: PoolElementParameter, now: float) -> bool:
        """Whether an element that wants to register is one of them."""
        if not self._all:
            return False
        self._forget(now)
        return any(each.is_it(handle, element) for each in self._all)

    def left(self, now: float) -> Iterator[tuple[Evicted, int]]:
        """Who is evicted, and for how many seconds yet."""
        self._forget(now)
        return ((each, round(each.until - now)) for each in self._all if round(each.until - now) > 0)

    def _forget(self, now: float) -> None:
        if any(each.until <= now for each in self._all):
            self._all = [each for each in self._all if each.until > now]


def _same_place(one: UserTransport, other: UserTransport) -> bool:
    alike = one.kind == other.kind and bool(one.port) and one.port == other.port
    return alike and not set(one.addresses).isdisjoint(other.addresses)
