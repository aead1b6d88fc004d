"""Pauses between attempts: each twice as long as the one before, up to a longest."""

from __future__ import annotations

from math import inf

from rserpool.core.frozen import frozen


@frozen
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


SOON = 1.0
"""Who is lost again within so many seconds is not dialled again at once."""


class Redial:
    """When to dial again who was lost: at once, but not who accepts and hangs up, or answers and hangs up, each time.

    A pause ends with a good answer, not with a connection.
    """

    __slots__ = ("_answered", "_lost_at", "_pause", "_pauses")

    def __init__(self, pauses: Backoff) -> None:
        self._pauses = pauses
        self._pause = 0.0
        self._lost_at = -inf
        self._answered = False

    def answered(self) -> None:
        """It gave a good answer."""
        self._answered = True
        self._pause = 0.0

    def lost(self, now: float) -> float:
        """It is lost; how many seconds to wait."""
        quiet = now - self._lost_at
        self._pause = 0.0 if quiet >= (SOON if self._answered else inf) else self._pauses.after(self._pause)
        self._lost_at, self._answered = now, False
        return self._pause
