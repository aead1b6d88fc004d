"""What supervision costs this registrar on this machine: measured now and then, while there is enough to measure.

The processor time of the thread that serves is compared with what all that it has done meanwhile was believed to take:
keep-alives, heartbeats of SCTP, requests, set-ups, and that there are associations. What it is more, or less, is put
down to those of which there was most, and of which least is known. All that it takes counts: wake-ups,
acknowledgements, the system's part. So what comes with associations, however often elements are asked, is known apart
from what a keep-alive takes; and a crowd that comes, or asks, is not taken for dear keep-alives.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import exp, log, sqrt
from typing import Any, Final

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IDelayedCall

from rserpool.core.registrar import Registrar
from rserpool.core.registrar.shares import COST, LEAST, MOST
from rserpool.registrar.collector import Garbage

EVERY: Final = 2.5
"""Seconds between two looks, while there is something to see."""
SELDOM: Final = 4 * EVERY
"""The same while there is nothing: an idle process is not to wake for that."""
ENOUGH: Final = 50
"""With fewer keep-alives nothing is learned: what an idle process does besides would count as theirs."""
OF_ONE: Final = (1.0, 0.2, 0.5, 3.0, 0.1)
"""What is believed before it is measured, in keep-alives with their answers: what one takes, a heartbeat (with what
answers it), a request, a set-up, and an association in a second."""
ALIKE: Final = 4.0
"""How far all that may be off together, since machines are faster or slower; as the next ones a variance of logarithms.
"""
EACH: Final = 0.25
"""The same of each one, besides."""
NOISE: Final = 0.01
"""The same of a measurement: the caches, and what else was done, make a difference."""
FORGOTTEN: Final = 0.001
"""With each look so much of what was learned counts no more: things change."""
FAR: Final = 3.0
"""What is off by more than so many times what is likely is believed as far as that: something else happened, once."""


class Costs:
    """Those of one registrar.

    @param heartbeats: how many came over its stack, or were answered.
    @param used: the processor time that this thread has used, in seconds.
    @param seconds: what time it is.
    """

    def __init__(
        self,
        registrar: Registrar,
        heartbeats: Callable[[], int],
        used: Callable[[], float] = time.thread_time,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registrar, self._heartbeats = registrar, heartbeats
        self._used, self._seconds = used, seconds
        # Seconds of processor time that each takes, in the order of L{OF_ONE}; and the covariances of their logarithms.
        self._each = [COST * part for part in OF_ONE]
        self._doubt = _UNKNOWN
        self._before = self._now()

    def look(self) -> bool:
        """Measure what has happened since the last look.

        @return: whether that is worth to be done again soon.
        """
        before, self._before = self._before, self._now()
        used, passed, *done = (now - then for now, then in zip(self._before, before, strict=True))
        shares = self._registrar.supervision.shares
        shares.look()
        if done[0] < ENOUGH or passed <= 0:
            return shares.scarce
        done.append(self._registrar.clients * passed)
        took = [number * each for number, each in zip(done, self._each, strict=True)]
        self._learn(used, took)
        cost, heartbeat, *_, association = self._each
        shares.measured(cost, (done[1] * heartbeat + done[-1] * association) / passed)
        return True

    def _learn(self, used: float, took: list[float]) -> None:
        """It took so much, and what each was believed to take: a step of Kalman's filter, for the logarithms."""
        believed = sum(took)
        parts = [some / believed for some in took]
        doubt = [
            [known + FORGOTTEN * (unknown - known) for known, unknown in zip(*rows, strict=True)]
            for rows in zip(self._doubt, _UNKNOWN, strict=True)
        ]
        blamed = [sum(one * part for one, part in zip(row, parts, strict=True)) for row in doubt]
        likely = sum(one * part for one, part in zip(blamed, parts, strict=True)) + NOISE
        most = FAR * sqrt(likely)
        off = min(max(log(max(used, 1e-9) / believed), -most), most)
        self._each = [
            min(max(each * exp(off * one / likely), LEAST * part), MOST * part)
            for each, one, part in zip(self._each, blamed, OF_ONE, strict=True)
        ]
        self._doubt = [
            [known - one * other / likely for known, other in zip(row, blamed, strict=True)]
            for row, one in zip(doubt, blamed, strict=True)
        ]

    def _now(self) -> tuple[float, ...]:
        counts = self._registrar.counts
        requests = 2 * counts.registered + counts.renewed + counts.resolved + counts.removed.total()
        return self._used(), self._seconds(), counts.asked, self._heartbeats(), requests, counts.met


_UNKNOWN: Final = [[ALIKE + EACH * (one == other) for one in range(len(OF_ONE))] for other in range(len(OF_ONE))]


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

    def soon(self) -> None:
        """What supervision costs matters now."""
        if self._timer is not None and self._timer.getTime() > self._reactor.seconds() + EVERY:
            self._timer.reset(EVERY)

    def _look(self, costs: Costs) -> None:
        collected = self._garbage.tick()
        # On a clock of tests all is to happen as it did before.
        more = isinstance(self._reactor, ReactorBase) and costs.look()
        self._timer = self._reactor.callLater(EVERY if collected or more else SELDOM, self._look, costs)
