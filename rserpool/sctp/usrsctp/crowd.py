"""Many associations: those over which nothing goes have no timer in libusrsctp, which looks at each one at each tick.

Its timers are a list, and a timer that waits for its heartbeat is in it all the time: ten thousand of them take a fifth
of a core. So in a crowd the library's own heartbeats are off, and we say when it is time for one. While that is not
answered, and wherever the library doubts that a peer is there, it sends its own again, and notices what it would.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final, Protocol

FEW: Final = 16
"""More associations than this are a crowd."""
FEWER_AGAIN: Final = FEW - 4
"""It has dispersed when there are no more than these."""


class Member(Protocol):
    """An association.

    @ivar established: whether it is up.
    """

    established: bool

    def rest(self, now: float) -> None:
        """The library sends no heartbeats by itself."""

    def settle(self, now: float) -> None:
        """It sends none as soon as the peer has answered one."""

    def rouse(self) -> None:
        """It does again."""

    def visit(self, now: float) -> float:
        """Send a heartbeat, if it is time: when to look again; infinity if it is gone."""


class Crowd:
    """
    @ivar here: whether there is one.
    @ivar doubted: whom the library sent a heartbeat of its own accord: handles, and packets' ports.
    """

    def __init__(self) -> None:
        self.here = False
        self.doubted: list[tuple[int, bytes]] = []
        self._visits: list[tuple[float, int, Member]] = []
        self._numbers = count()
        self._anew = False

    def joins(self, member: Member, now: float) -> None:
        """An association is up just now."""
        if self.here:
            member.rest(now)
            self._visit(member, now)

    def hurry(self) -> None:
        """Heartbeats are to be sent more often than before."""
        self._anew = True

    def doubts(self, tell: Callable[[int, bytes], object]) -> None:
        """The time of the library has passed: whom does it doubt?"""
        if self.doubted:
            doubted, self.doubted = self.doubted, []
            for handle, ports in doubted:
                tell(handle, ports)

    def look(self, number: int, groups: Iterable[Iterable[Member]], now: float) -> None:
        """With each tick: there are so many; who is due?"""
        here = number > (FEWER_AGAIN if self.here else FEW)
        if here != self.here or (self._anew and here):
            self._gather([each for group in groups for each in group if each.established], here, now)
        self._anew = False
        visits = self._visits
        while visits and visits[0][0] <= now:
            self._visit(heappop(visits)[2], now)

    def _gather(self, members: Collection[Member], here: bool, now: float) -> None:
        if here != self.here:
            self.here, self.doubted = here, []
            for each in members:
                if here:
                    each.settle(now)
                else:
                    each.rouse()
        self._visits = [(now, next(self._numbers), each) for each in members if here]

    def _visit(self, member: Member, now: float) -> None:
        when = member.visit(now)
        if when < inf:
            heappush(self._visits, (when, next(self._numbers), member))
