"""Tells the log of failed handshakes, and of who speaks in the clear: they do not fill it (RFC 5352 section 9.2)."""

from __future__ import annotations

from typing import Any, Final, Protocol

from rserpool.core.addresses import machine

MINUTE: Final = 60.0
OF_ALL: Final = 20
"""So many lines a minute; one for each machine and reason."""


class Log(Protocol):
    """A C{twisted.logger.Logger} is one."""

    def warn(self, format: str | None = None, **values: Any) -> object:
        """A line that somebody should read."""


class Telling(Protocol):
    """Who hears of failed handshakes."""

    def failed(self, peer: str, host: str, why: str, now: float) -> None:
        """The handshake with a peer at this IP address has failed.

        @param now: monotonic seconds.
        """


class Untold:
    """The log hears nothing: who asks says by itself what has failed."""

    def failed(self, peer: str, host: str, why: str, now: float) -> None:
        """See L{Telling.failed}."""


class Suspects:
    """Those whose handshakes failed in the present minute.

    @param line: what is told of one, with C{peer} and C{why}.
    @param more: what is told of those that are not told one by one, with C{more}.
    """

    def __init__(
        self,
        log: Log,
        line: str = "TLS with {peer} failed: {why}",
        more: str = "{more} more TLS handshakes failed within a minute",
    ) -> None:
        self._log = log
        self._line = line
        self._of_others = more
        self._since = 0.0
        self._told: set[tuple[str, str]] = set()
        self._more = 0

    def failed(self, peer: str, host: str, why: str, now: float) -> None:
        if now - self._since >= MINUTE:
            if self._more:
                self._log.warn(self._of_others, more=self._more)
            self._since, self._more = now, 0
            self._told.clear()
        told = machine(host), why
        if told in self._told or len(self._told) >= OF_ALL:
            self._more += 1
        else:
            self._told.add(told)
            self._log.warn(self._line, peer=peer, why=why)
