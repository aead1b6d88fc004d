"""What a registrar has done since it began, as plain numbers: counted where it is done, and read when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from rserpool.core.handlespace.changes import Why

DELAYS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds up to which an answer to a keep-alive falls into one class; the last class has no bound."""


class Counts:
    """
    @ivar met: associations and connections that came up.
    @ivar registered: new elements of ours.
    @ivar renewed: registrations of elements that were ours already, or became it.
    @ivar refused: registrations, by cause.
    @ivar removed: elements that left the handlespace, by reason.
    @ivar resolved: resolutions.
    @ivar unknown: those of them that named no pool.
    @ivar asked: keep-alives that were sent.
    @ivar missed: keep-alives that were not answered.
    @ivar delays: how many were answered in each class of L{DELAYS}, and beyond.
    @ivar delay: seconds that all of these took together.
    """

    __slots__ = (
        "asked", "delay", "delays", "met", "missed", "refused", "registered", "removed", "renewed", "resolved",
        "unknown",
    )  # fmt: skip

    def __init__(self) -> None:
        self.registered = self.renewed = self.resolved = self.unknown = self.asked = 0
        self.missed = self.met = 0
        self.refused: Counter[int] = Counter()
        self.removed: Counter[Why] = Counter()
        self.delays = [0] * (len(DELAYS) + 1)
        self.delay = 0.0

    def served(self) -> int:
        """How many requests of clients were granted: resolutions and registrations."""
        return self.resolved + self.registered + self.renewed

    def answered(self, delay: float) -> None:
        """An element answered a keep-alive after so many seconds."""
        self.delays[bisect_left(DELAYS, delay)] += 1
        self.delay += delay
