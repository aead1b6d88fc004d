"""Registrars that take no registration with private parameters: who does not answer is asked without them.

There are registrars that drop a message with a parameter that they do not know (docs/interop.md).
"""

from __future__ import annotations

from typing import Final

from rserpool.core.addresses import TransportAddress

AFTER: Final = 2
"""So many registrations in a row that a registrar did not answer had private parameters; the next one has none."""
FOR: Final = 100
"""So many have none then: the registrar may have been too busy, or be another by now."""
MOST: Final = 64
"""So many registrars are kept in mind."""


class Plain:
    """What became of the registrations at each registrar."""

    def __init__(self) -> None:
        self._count: dict[TransportAddress, int] = {}
        self._last: TransportAddress | None = None

    def asks(self, place: TransportAddress | None) -> bool:
        """A registration goes to this registrar; whether it has no private parameters."""
        self._last = place
        return place is not None and self._count.get(place, 0) >= AFTER

    def unanswered(self) -> None:
        """Nobody answered the last one."""
        if self._last is None or self._count.get(self._last, 0) >= AFTER:
            return
        if len(self._count) >= MOST and self._last not in self._count:
            del self._count[next(iter(self._count))]
        self._count[self._last] = self._count.get(self._last, 0) + 1

    def complained(self) -> bool:
        """The last one was not taken for a parameter in it; whether it had private ones, and the next has none."""
        if self._last is None or self._count.get(self._last, 0) >= AFTER:
            return False
        self._count[self._last] = AFTER
        return True

    def answered(self) -> None:
        """The last one was answered."""
        if self._last is None or self._last not in self._count:
            return
        self._count[self._last] += 1
        if not AFTER < self._count[self._last] < AFTER + FOR:
            del self._count[self._last]
