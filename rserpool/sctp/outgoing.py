"""What waits to be sent, or to be read, of all associations of an endpoint: it must not fill our memory (RFC 5352
section 9.1, threat 8)."""

from __future__ import annotations

from typing import Any

MOST = 128 * 1024 * 1024
"""So many bytes wait of all peers of an endpoint together; the one with most of them is given up."""


class Outgoing:
    """Those of one endpoint, or of one port of TCP.

    @ivar total: bytes that wait.
    """

    def __init__(self) -> None:
        self.total = 0
        self._held: dict[Any, int] = {}

    def holds(self, association: Any, size: int) -> Any:
        """So many bytes wait for this one now.

        @return: who is to be given up, if anybody is.
        """
        self.total += size - self._held.pop(association, 0)
        if size:
            self._held[association] = size
        return max(self._held, key=self._held.__getitem__) if self.total > MOST else None
