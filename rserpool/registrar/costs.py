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

from rserpool.core.registrar import Registrar
from rserpool.registrar.collector import Garbage

EVERY: Final = 2.5
"""Seconds between two looks."""
ENOUGH: Final = 50
"""With fewer keep-alives nothing is learned: what an idle process does besides would count as theirs."""


class Costs:
    """Those of one registrar.

    @param used: the processor time that this thread has used, in seconds.
    """

    def __init__(self, registrar: Registrar, used: Callable[[], float] = time.thread_time) -> None:
        self._registrar = registrar
        self._used = used
        self._measured = False
        self._before = self._now()

    def look(self) -> None:
        """Measure what has happened since the last look."""
        before, self._before = self._before, self._now()
        used, asked, other = (now - then for now, then in zip(self._before, before, strict=True))
        if asked < ENOUGH:
            return
        part = 2 * asked / (2 * asked + other)
        shares = self._registrar.supervision.shares
        weight = part * part * (0.5 if self._measured else 1.0)
        self._measured = True
        shares.measured(shares.cost + weight * (used * part / asked - shares.cost))

    def _now(self) -> tuple[float, int, int]:
        counts = self._registrar.counts
        other = 2 * counts.registered + counts.renewed + counts.resolved + counts.removed.total()
        return self._used(), counts.asked, other


def look_after(reactor: Any, garbage: Garbage, costs: Costs) -> None:
    """What a registrar looks at now and then."""
    garbage.tick()
    if isinstance(reactor, ReactorBase):  # on a clock of tests all is to happen as it did before
        costs.look()
