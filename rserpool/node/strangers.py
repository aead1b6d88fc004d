"""Peers that send what cannot be understood: told once, closed when it goes on (RFC 5354 section 4)."""

from __future__ import annotations

from rserpool.node.loop import Carrier, Log

MOST = 100
"""An association that sends so many messages that cannot be understood is aborted."""


class Strangers:
    """Counts what they send.

    @ivar total: how many such messages came in.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: dict[Carrier, int] = {}
        self.total = 0

    def came(self, carrier: Carrier, what: str) -> None:
        """One more came in."""
        self.total += 1
        count = self._counts[carrier] = self._counts.get(carrier, 0) + 1
        if count == 1:
            self._log.warn("{peer} sent garbage: {what}", peer=str(carrier.peer), what=what)
        elif count == MOST:
            self._log.warn("{peer} sent garbage {count} times: closed", peer=str(carrier.peer), count=count)
            carrier.abort()

    def forget(self, carrier: Carrier) -> None:
        """It is gone."""
        self._counts.pop(carrier, None)
