"""The timer of something that says when it is due next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.node.reactor import clock_of


class Alarm:
    """Calls when a deadline is there, of which the one that was set last counts; now and then a moment early.

    @param due: called at the deadline.
    @ivar now: monotonic seconds.
    """

    def __init__(self, reactor: Any, due: Callable[[], object]) -> None:
        self.now = clock_of(reactor)
        self._reactor = reactor
        self._due = due
        self._call: Any = None
        self._when = 0.0

    def set(self, deadline: float | None) -> None:
        """Call at this time; None for never."""
        if self._call is not None:
            if deadline is not None and self._when <= deadline:
                # It is early, and set again then.
                return
            self._call.cancel()
            self._call = None
        if deadline is not None:
            self._when = deadline
            self._call = self._reactor.callLater(max(0.0, deadline - self.now()), self._ring)

    def _ring(self) -> None:
        self._call = None
        self._due()
