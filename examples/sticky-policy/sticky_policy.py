"""The policy C{sticky} (the same user gets the same element while it lives), and the load probe C{memory}."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from rserpool.core import TransportAddress
from rserpool.core.policies import Asker, Member, Policy, RoundRobin, as_returned

MOST = 10_000
"""So many users of a pool are remembered."""


class Sticky(RoundRobin[Member]):
    """Each in its turn for those who ask for the first time; the others get theirs, and the next ones behind it."""

    def __init__(self) -> None:
        super().__init__()
        self._members: set[Member] = set()
        self._chosen: OrderedDict[TransportAddress, Member] = OrderedDict()

    def add(self, member: Member) -> None:
        super().add(member)
        self._members.add(member)

    def remove(self, member: Member) -> None:
        super().remove(member)
        self._members.remove(member)

    def select(self, count: int, asker: Asker = None) -> list[Member]:
        if asker is not None and self._chosen.get(asker) in self._members:
            self._chosen.move_to_end(asker)
            return self.peek(count, asker)
        chosen = super().select(count)
        if asker is not None and chosen:
            self._chosen[asker] = chosen[0]
            if len(self._chosen) > MOST:
                self._chosen.popitem(last=False)
        return chosen

    def peek(self, count: int, asker: Asker = None) -> list[Member]:
        theirs = None if asker is None else self._chosen.get(asker)
        if theirs not in self._members:
            return super().peek(count)
        return [theirs, *(member for member in super().peek(count) if member is not theirs)][: max(count, 0)]


STICKY = Policy(
    number=0x80000100,  # RFC 5356 section 7.1: from 0x80000000 on they are for private use
    name="sticky",
    abbreviation="STICKY",
    fields=(),
    selection=lambda random: Sticky(),
    user_order=as_returned,
    chosen="the same for each user while it lives",
)


class MemoryLoad:
    """The part of this host's memory that is in use, 0.0 to 1.0 (Linux)."""

    def __call__(self) -> float:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines)}
        return 1.0 - sizes["MemAvailable"] / sizes["MemTotal"]
