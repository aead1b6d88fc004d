"""When to try again, and when to give up, for who connects to a pool's elements one after the other."""

from __future__ import annotations

from rserpool.core.handles import handle_text
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.errors import NothingAccepts

TIMEOUT = 30.0
"""Seconds until a connect gives up, where nothing else is said."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


class Trying:
    """One connect; pure bookkeeping.

    @param attempt: seconds that one element may take to accept.
    @param now: monotonic seconds.
    """

    def __init__(self, pool: bytes, timeout: float, attempt: float, now: float) -> None:
        self._pool = pool
        self._deadline = now + timeout
        self._attempt = attempt
        self._pause = FIRST_PAUSE
        self._tried: dict[str, str] = {}

    def left(self, now: float) -> float:
        """Seconds until it gives up."""
        return max(0.0, self._deadline - now)

    def patience(self, now: float) -> float:
        """Seconds that the next element may take; 0 when there is no time left."""
        return min(self.left(now), self._attempt)

    def failed(self, element: PoolElementParameter, where: str, why: str) -> None:
        """An element did not accept."""
        self._tried[f"0x{element.identifier:08x} at {where}"] = why

    def pause(self, now: float) -> float:
        """All have failed: seconds until they may be tried again.

        @raise NothingAccepts: if there is no time left.
        """
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        if now + pause >= self._deadline:
            raise self.error()
        return pause

    def error(self) -> NothingAccepts:
        """What was tried."""
        reasons = "; ".join(f"{element}: {why}" for element, why in self._tried.items())
        return NothingAccepts(
            f"no element of pool {handle_text(self._pool)!r} accepts a connection: {reasons or 'there was no time'}"
        )
