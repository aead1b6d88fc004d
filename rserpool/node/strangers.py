"""Peers that send what cannot be understood: told once, closed when it goes on (RFC 5354 section 4)."""

from __future__ import annotations

from twisted.logger import Logger

from rserpool.sctp.interfaces import ISctpAssociation

MOST = 100
"""An association that sends so many messages that cannot be understood is aborted."""


class Garbled:
    """Counts them.

    @ivar total: how many came in.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._counts: dict[ISctpAssociation, int] = {}
        self.total = 0

    def came(self, association: ISctpAssociation, what: str) -> None:
        """One more came in."""
        self.total += 1
        count = self._counts[association] = self._counts.get(association, 0) + 1
        if count == 1:
            self._log.warn("{peer} sent garbage: {what}", peer=str(association.peer), what=what)
        elif count == MOST:
            self._log.warn("{peer} sent garbage {count} times: closed", peer=str(association.peer), count=count)
            association.abort()

    def forget(self, association: ISctpAssociation) -> None:
        """It is gone."""
        self._counts.pop(association, None)
