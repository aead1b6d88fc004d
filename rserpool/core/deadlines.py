"""Deadlines of many things, of which the earliest is wanted: one lazy heap.

What the timers of RFC 5352 section 7 and RFC 5353 section 4 hang on: a role asks L{Deadlines.due} on each
tick, and tells its caller L{Deadlines.next}.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """At most one deadline for each key; times are seconds of a clock that the caller chooses.

    Setting, cancelling and taking one that is due cost O(log n), spread over many calls.
    """

    __slots__ = ("_heap", "_live", "_sequence")

    def __init__(self) -> None:
        # The same tuples in both; one that is in the heap alone is dead.
        self._live: dict[K, tuple[float, int, K]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: K) -> bool:
        return key in self._live

    def set(self, key: K, when: float) -> None:
        """Let C{key} be due at C{when}, in place of any earlier word; infinity is the same as L{cancel}.

        @raise ValueError: if C{when} is not a number.
        """
        if not when < math.inf:
            if math.isnan(when):
                raise ValueError("a deadline must be a number")
            self.cancel(key)
            return
        self._sequence += 1
        entry = self._live[key] = (when, self._sequence, key)
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._live) + 16:
            self._tidy()

    def cancel(self, key: K) -> None:
        """Forget the deadline of C{key}, if it has one."""
        if self._live.pop(key, None) is not None and len(self._heap) > 2 * len(self._live) + 16:
            self._tidy()

    def when(self, key: K) -> float | None:
        """When C{key} is due; C{None} if it has no deadline."""
        live = self._live.get(key)
        return None if live is None else live[0]

    def due(self, now: float) -> Iterator[K]:
        """Take out the keys whose time has come, one by one, in order of time, then in the order they were set.

        What is cancelled before its turn does not come, and what is set meanwhile waits for the next call.
        """
        last = self._sequence
        later: list[tuple[float, int, K]] = []
        try:
            while self._heap and self._heap[0][0] <= now:
                entry = heappop(self._heap)
                _, sequence, key = entry
                if self._live.get(key) is not entry:
                    continue
                if sequence > last:
                    later.append(entry)
                else:
                    del self._live[key]
                    yield key
        finally:
            for entry in later:
                heappush(self._heap, entry)

    def next(self) -> float | None:
        """The time of the earliest deadline; C{None} if there is none."""
        heap, live = self._heap, self._live
        while heap:
            entry = heap[0]
            if live.get(entry[2]) is entry:
                return entry[0]
            heappop(heap)
        return None

    def _tidy(self) -> None:
        """The heap holds more dead entries than live ones: keep these alone."""
        self._heap = list(self._live.values())
        heapify(self._heap)


Timers: TypeAlias = Deadlines[tuple[Hashable, ...]]
"""The one table of a role: each key is the name of a procedure, and what it is about."""
