"""Many associations: those over which nothing goes have no timer in libusrsctp, which looks at each one at each tick.

Its timers are a list, and a timer that waits for its heartbeat is in it all the time: ten thousand of them take a fifth
of a core. So in a crowd the library's own heartbeats are off, and we say when it is time for one. While that is not
answered, and wherever the library doubts that a peer is there, it sends its own again, and notices what it would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil, inf
from typing import Final, Protocol

FEW: Final = 16
"""More associations than this are a crowd."""
FEWER_AGAIN: Final = FEW - 4
"""It has dispersed when there are no more than these."""


STEP: Final = 0.01
"""Who is due within so many seconds is looked at together."""


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
        # Who is due when, in steps; those that are due otherwise by now are left where they were.
        self._visits: dict[int, list[Member]] = {}
        self._due: dict[Member, int] = {}
        self._looked = 0

    def joins(self, member: Member, now: float) -> None:
        """An association is up just now."""
        if self.here:
            member.rest(now)
            self._visit(member, now)

    def hurry(self, members: Iterable[Member], now: float) -> None:
        """These are to be sent heartbeats more often than before."""
        if self.here:
            for each in members:
                if each.established:
                    self._visit(each, now)

    def doubts(self, tell: Callable[[int, bytes], object]) -> None:
        """The time of the library has passed: whom does it doubt?"""
        if self.doubted:
            doubted, self.doubted = self.doubted, []
            for handle, ports in doubted:
                tell(handle, ports)

    def look(self, number: int, groups: Iterable[Iterable[Member]], now: float) -> None:
        """With each tick: there are so many; who is due?"""
        here = number > (FEWER_AGAIN if self.here else FEW)
        if here != self.here:
            self._change(here, [each for group in groups for each in group if each.established], now)
        step = int(now / STEP)
        while self._looked < step and self._visits:
            self._looked += 1
            for member in self._visits.pop(self._looked, ()):
                # It may have been looked at since, sooner than it had to be.
                if self._due.get(member) == self._looked:
                    self._visit(member, now)
        self._looked = step

    def _change(self, here: bool, members: Iterable[Member], now: float) -> None:
        self.here, self._looked = here, int(now / STEP)
        self._visits, self._due, self.doubted = {}, {}, []
        for each in members:
            if here:
                each.settle(now)
                self._visit(each, now)
            else:
                each.rouse()

    def _visit(self, member: Member, now: float) -> None:
        when = member.visit(now)
        if when < inf:
            due = self._due[member] = max(ceil(when / STEP), self._looked + 1)
            self._visits.setdefault(due, []).append(member)
        else:
            self._due.pop(member, None)
