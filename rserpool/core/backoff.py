"""Pauses between attempts: each twice as long as the one before, up to a longest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A row of pauses, in seconds; the present pause is kept by the caller, 0 before the first one.

    @ivar first: the first pause.
    @ivar longest: no pause is longer.
    """

    first: float
    longest: float

    def after(self, pause: float) -> float:
        """The pause that follows C{pause}."""
        return min(max(2 * pause, self.first), self.longest)
