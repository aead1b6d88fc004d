"""Registrations that wait until it is known whether the one that has their identifier lives (RFC 5352 section 3.5)."""

from __future__ import annotations

from rserpool.core.handlespace.element import Element
from rserpool.core.registrar.clients import Client
from rserpool.core.wire import asap

MOST_RIVALS = 8
"""So many clients wait for one identifier."""
MOST_WAITING = 4_096
"""So many registrations wait at the same time."""
MOST_BYTES = 8 * 2**20
"""So many bytes they have together."""


class Contests:
    """Who waits for which element; each client once for each, with what it asked for last.

    @ivar rivals: those that wait, by element; to be looked at alone.
    """

    def __init__(self) -> None:
        self.rivals: dict[Element, dict[Client, asap.Registration]] = {}
        self._of: dict[Client, dict[Element, int]] = {}
        self._waiting = self._bytes = 0

    def __contains__(self, element: Element) -> bool:
        return element in self.rivals

    def wait(self, element: Element, client: Client, message: asap.Registration) -> bool:
        """Have a registration wait; whether there is room for that."""
        rivals = self.rivals.get(element, {})
        length = len(asap.encode(message))
        if client not in rivals and (
            len(rivals) >= MOST_RIVALS or self._waiting >= MOST_WAITING or self._bytes + length > MOST_BYTES
        ):
            return False
        self._forget(element, client)
        self.rivals.setdefault(element, {})[client] = message
        self._of.setdefault(client, {})[element] = length
        self._waiting += 1
        self._bytes += length
        return True

    def over(self, element: Element) -> list[tuple[Client, asap.Registration]]:
        """It is known now; those that waited, first come first."""
        if element not in self:
            return []
        rivals = list(self.rivals[element].items())
        for client, _ in rivals:
            self._forget(element, client)
        return rivals

    def lost(self, client: Client) -> None:
        """A client is gone."""
        for element in list(self._of.get(client, ())):
            self._forget(element, client)

    def _forget(self, element: Element, client: Client) -> None:
        mine = self._of.get(client, {})
        if element in mine:
            self._waiting -= 1
            self._bytes -= mine.pop(element)
            del self.rivals[element][client]
            if not self.rivals[element]:
                del self.rivals[element]
            if not mine:
                del self._of[client]
