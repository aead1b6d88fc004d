"""How long jobs have waited for a pool in which no worker can be used: it is told, and has an end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TELL = 2.0
"""Seconds after which it is told that jobs wait."""
NEARLY = 0.2
"""What is missing from the patience by so many seconds is over: a search for a worker ends with its own."""


class Alone:
    """One time without workers, or none.

    @param patience: seconds that it may last.
    @param tell: called when jobs have waited for a little while.
    @param over: called with why no worker can be used, when it has lasted too long.
    """

    def __init__(
        self, reactor: Any, patience: float, tell: Callable[[], object], over: Callable[[str], object]
    ) -> None:
        self._reactor = reactor
        self._patience = patience
        self._tell, self._over = tell, over
        self._since: float | None = None
        self._why = ""
        self._timers: list[Any] = []

    def begin(self) -> None:
        """A worker is looked for, and none is here; nothing changes if that was so before."""
        if self._since is None:
            self._since = float(self._reactor.seconds())
            later = self._reactor.callLater
            self._timers = [later(min(TELL, self._patience), self._tell), later(self._patience, self._late)]

    def end(self) -> None:
        """There is a worker; or no job waits for one any more."""
        self._since, self._why = None, ""
        for timer in self._timers:
            if timer.active():
                timer.cancel()

    def failed(self, why: str) -> None:
        """None was found just now."""
        self.begin()
        self._why = why
        assert self._since is not None
        if self._reactor.seconds() - self._since >= self._patience - NEARLY:
            self._over(why)

    def _late(self) -> None:
        # Where the first search is not over yet, it is in a moment, and then says why.
        if self._why:
            self._over(self._why)
