"""What is to end before its reactor shuts down, in programs that stop no services: C{reactor.run()}, C{react}."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred


class Ending:
    """The end of something: it comes once, whoever asks for it, and before the reactor shuts down.

    @param end: what is done.
    @param stop: called before the reactor shuts down; it asks for the end.
    """

    def __init__(
        self, reactor: Any, end: Callable[[], Coroutine[Any, Any, None]], stop: Callable[[], Deferred[None]]
    ) -> None:
        self._reactor = reactor
        self._end = end
        self._stop = stop
        self._trigger: Any = None
        self._ended: Deferred[None] | None = None

    def arm(self) -> None:
        """It has begun. A reactor that does not shut down never ends it."""
        self._ended = None
        if self._trigger is None and hasattr(self._reactor, "addSystemEventTrigger"):
            self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._fired)

    def disarm(self) -> None:
        """It needs no end any more."""
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self._reactor.removeSystemEventTrigger(trigger)

    def begin(self) -> Deferred[None]:
        """End it; a C{Deferred} for each who asks."""
        if self._ended is None:
            self.disarm()
            self._ended = ensureDeferred(self._end())
        waiting: Deferred[None] = Deferred()
        self._ended.chainDeferred(waiting)
        return waiting

    def _fired(self) -> Deferred[None]:
        self._trigger = None
        return self._stop()
