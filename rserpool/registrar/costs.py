"""What supervision costs this registrar on this machine: measured now and then, while there is enough to measure.

The processor time of the thread that serves is divided among what it has done meanwhile: a keep-alive is one message
out and one in, a request about half of that. All that it takes counts: wake-ups, acknowledgements, the system's part.
The more of the time went to other work, the less a measurement says, and the less it counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IDelayedCall

from rserpool.core.registrar import Registrar
from rserpool.registrar.collector import Garbage

EVERY: Final = 2.5
"""Seconds between two looks, while there is something to see."""
SELDOM: Final = 4 * EVERY
"""The same while there is nothing: an idle process is not to wake for that."""
ENOUGH: Final = 50
"""With fewer keep-alives nothing is learned: what an idle process does besides would count as theirs."""
LEAP: Final = 2.0
"""A measurement says so many times what was believed at most. When the interval has just grown few are asked for a
while, and all else that there is to do would count as theirs: then it would grow again, and last for minutes."""


class Costs:
    """Those of one registrar.

    @param used: the processor time that this thread has used, in seconds.
    """

    def __init__(self, registrar: Registrar, used: Callable[[], float] = time.thread_time) -> None:
        self._registrar = registrar
        self._used = used
        self._measured = False
        self._before = self._now()

    def look(self) -> bool:
        """Measure what has happened since the last look.

        @return: whether that was enough to learn anything.
        """
        before, self._before = self._before, self._now()
        used, asked, other = (now - then for now, then in zip(self._before, before, strict=True))
        if asked < ENOUGH:
            return False
        part = 2 * asked / (2 * asked + other)
        shares = self._registrar.supervision.shares
        weight = part * part * (0.5 if self._measured else 1.0)
        self._measured = True
        shares.measured(shares.cost + weight * (min(used * part / asked, LEAP * shares.cost) - shares.cost))
        return True

    def _now(self) -> tuple[float, int, int]:
        counts = self._registrar.counts
        other = 2 * counts.registered + counts.renewed + counts.resolved + counts.removed.total()
        return self._used(), counts.asked, other


class LookingAfter:
    """What a registrar looks at now and then: its garbage, and its costs."""

    def __init__(self, reactor: Any, garbage: Garbage) -> None:
        self._reactor = reactor
        self._garbage = garbage
        self._timer: IDelayedCall | None = None

    def start(self, costs: Costs) -> None:
        """Begin, with a registrar that is new."""
        self._timer = self._reactor.callLater(EVERY, self._look, costs)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _look(self, costs: Costs) -> None:
        collected = self._garbage.tick()
        # On a clock of tests all is to happen as it did before.
        learned = isinstance(self._reactor, ReactorBase) and costs.look()
        self._timer = self._reactor.callLater(EVERY if collected or learned else SELDOM, self._look, costs)
