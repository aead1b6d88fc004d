"""Who is let in, of those who need no permission (RFC 5352 section 9.1, threat 8): so many in all, so many of one
machine, and nobody for long who says nothing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from rserpool.core.addresses import machine

HELLO = 10.0
"""Seconds that somebody may say nothing, where many of its machine say nothing."""
SILENT = 100
"""So many of one machine may say nothing for longer: an honest one may have nothing to say yet."""
MOMENT = 1.0
"""Seconds that somebody may say nothing where there is no room left."""

W = TypeVar("W", bound=Hashable)


class Admission(Generic[W]):
    """Those who are there, by machine.

    Where all room is taken, who comes from a machine with fewer gets the place of somebody of the machine with most.

    @param most: so many at once.
    @param most_of_one: so many of one machine.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self.most = most
        self.most_of_one = most_of_one
        self._where: dict[W, str] = {}
        # In the order in which they came.
        self._there: dict[str, dict[W, None]] = {}
        self._silent: dict[str, dict[W, float]] = {}

    def __len__(self) -> int:
        return len(self._where)

    def of(self, host: str) -> int:
        """How many there are of the machine with this address."""
        return len(self._there.get(machine(host), ()))

    def room(self, host: str, now: float) -> tuple[bool, W | None]:
        """Whether one more may come from this address, and who has to go for it first."""
        where = machine(host)
        own = len(self._there.get(where, ()))
        if own >= self.most_of_one:
            victim = self._mute(where, now)
            return victim is not None, victim
        if len(self._where) < self.most:
            return True, None
        crowd = max(self._there, key=lambda each: len(self._there[each]))
        victim = self._mute(crowd, now)
        if victim is None and len(self._there[crowd]) > own + 1:
            victim = next(iter(self._there[crowd]))
        return victim is not None, victim

    def comes(self, who: W, host: str, now: float) -> None:
        """Somebody is let in."""
        where = self._where[who] = machine(host)
        self._there.setdefault(where, {})[who] = None
        self._silent.setdefault(where, {})[who] = now

    def speaks(self, who: W) -> None:
        """Somebody says its first word."""
        where = self._where.get(who)
        silent = self._silent.get(where) if where is not None else None
        if where is not None and silent is not None:
            silent.pop(who, None)
            if not silent:
                del self._silent[where]

    def goes(self, who: W) -> None:
        """Somebody is gone."""
        self.speaks(who)
        where = self._where.pop(who, None)
        if where is not None:
            there = self._there[where]
            del there[who]
            if not there:
                del self._there[where]

    @property
    def crowded(self) -> bool:
        """Whether there is a machine of which more than L{SILENT} say nothing."""
        return any(len(silent) > SILENT for silent in self._silent.values())

    def mute(self, now: float) -> list[W]:
        """Those that have said nothing for too long."""
        return [
            who
            for silent in self._silent.values()
            for who, since in list(silent.items())[: max(0, len(silent) - SILENT)]
            if now - since >= HELLO
        ]

    def _mute(self, where: str, now: float) -> W | None:
        who, since = next(iter(self._silent.get(where, {}).items()), (None, now))
        return who if now - since >= MOMENT else None


class Rate:
    """So many a second, and so many of one machine: who sends most takes no time from the others.

    @ivar refused: how many were too many in this second.
    """

    def __init__(self, of_one: int, of_all: int) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._since = 0.0
        self._counts: dict[str, int] = {}
        self._total = 0
        self.refused = 0

    def admits(self, host: str, now: float) -> bool:
        """Whether one more from this IP address is within the rate."""
        if now - self._since >= 1.0:
            self._since, self._total, self.refused = now, 0, 0
            self._counts.clear()
        if self._total < self._of_all:
            where = machine(host)
            count = self._counts[where] = self._counts.get(where, 0) + 1
            if count <= self._of_one:
                self._total += 1
                return True
        self.refused += 1
        return False


class TokenBucket:
    """So many events a second on average, and C{most} at once: one second's worth, if nothing else is said."""

    __slots__ = ("_most", "_rate", "_tokens", "_when")

    def __init__(self, rate: float, now: float, most: float | None = None) -> None:
        self._rate = rate
        self._most = self._tokens = rate if most is None else most
        self._when = now

    def take(self, now: float) -> bool:
        """Whether one more event at C{now} (monotonic seconds) is within the rate."""
        tokens = self._tokens + (now - self._when) * self._rate
        if tokens > self._most:
            tokens = self._most
        self._when = now
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True
