"""Keeps the pauses of the garbage collector short, however many elements a registrar has.

A full collection walks over every object there is: with 100,000 elements that takes some 50 to 150 ms, and finds
nothing, since elements leave no cycles behind. So what has lived for a while is frozen (C{gc.freeze}): the collector
never looks at it again, and it still goes at once when nothing refers to it any more. Full collections then walk only
over what is new since the last freeze.

What becomes garbage in a cycle after having been frozen would stay for ever. How much memory there is beyond what the
elements explain is watched, and where it is too much everything is thawed and walked over once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import ClassVar, Final

from twisted.logger import Logger

YOUNG: Final = 1000
"""After how many new objects the young generation is collected."""
MIDDLE: Final = 3
"""After how many of these the middle one is too: a pass, over some 4,000 objects."""
NEVER: Final = 1 << 30
PASSES: Final = 2
"""How many passes without L{Garbage.tick} freeze what they leave: a burst of registrations."""
BLOCKS_AN_ELEMENT: Final = 13
"""Blocks of memory that one element explains: 11 to 14, by policy, once it has answered a keep-alive."""


class Garbage:
    """Tames the garbage collector of this process, which is left as it was when the last of these stops.

    @param elements: how many elements are registered now.
    @param allowance: how many blocks of memory (some 60 bytes each) beyond those of the elements may come to be before
        everything is walked over; doubled each time that turns out to have been in vain.
    """

    _log = Logger()
    _running: ClassVar[list[Garbage]] = []  # there is one collector, whoever else wants it tamed
    _before: ClassVar[tuple[int, int, int]]

    def __init__(self, elements: Callable[[], int] = lambda: 0, *, allowance: int = 1_000_000) -> None:
        self._elements = elements
        self._allowance = allowance
        self._passes = 0
        self._explained = 0

    def start(self) -> None:
        """Take over: collect and freeze all there is, and from now on after each pass."""
        if self in self._running:
            return
        if not self._running:
            Garbage._before = gc.get_threshold()
            gc.set_threshold(YOUNG, MIDDLE, NEVER)
        self._running.append(self)
        gc.callbacks.append(self._collected)
        self.thorough()

    def stop(self) -> None:
        """Leave the collector as it was before L{start}."""
        if self not in self._running:
            return
        self._running.remove(self)
        gc.callbacks.remove(self._collected)
        if not self._running:
            gc.set_threshold(*self._before)
            gc.unfreeze()

    def tick(self) -> bool:
        """To be called every few seconds: collect what is new, if it is much, and freeze the rest.

        @return: whether it was much.
        """
        if self not in self._running:
            return False
        much = self._passes > 0
        if much:
            gc.collect()
            self._freeze()
        unexplained = self._unexplained()
        if unexplained - self._explained > self._allowance:
            found = self.thorough()
            if unexplained - self._explained > self._allowance // 2:
                self._log.info("{found} objects were garbage in cycles, and had been frozen", found=found)
            else:
                self._allowance *= 2
        return much

    def thorough(self) -> int:
        """Walk over everything, however long that takes.

        @return: how many objects were found to be garbage.
        """
        gc.unfreeze()
        found = gc.collect()
        self._freeze()
        self._explained = self._unexplained()
        return found

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        """The collector tells that it starts or stops."""
        if phase == "stop" and info["generation"] == 1:
            self._passes += 1
            if self._passes >= PASSES:
                self._freeze()

    def _freeze(self) -> None:
        self._passes = 0
        gc.freeze()

    def _unexplained(self) -> int:
        return sys.getallocatedblocks() - BLOCKS_AN_ELEMENT * sum(each._elements() for each in self._running)
