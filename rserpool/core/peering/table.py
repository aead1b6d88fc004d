"""Handle table download, as the registrar that gives it sees it (RFC 5353 sections 3.2.3 and 3.6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association, Effect
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.wire.enrp import encode_handle_table_response

TABLE: Final = "table"
"""The key of a download session that nobody continues: with the association, and whether it is of our own elements."""
SIZE = 16_384
"""Bytes of elements in one response: small enough that resolutions get their turn in between."""
MOST_SESSIONS = 64
"""Download sessions at the same time; more are rejected (3.2.3)."""


class TableSessions:
    """Keeps track of the progress of downloads (3.2.3 step 2).

    A session goes over the elements that were there when it began; what is gone by then is left out, what is new has
    been announced by updates.

    @param timeout: seconds until a session that nobody continues is forgotten.
    """

    def __init__(self, server: int, handlespace: Handlespace, timers: Timers, timeout: float) -> None:
        self._server = server
        self._handlespace = handlespace
        self._timers = timers
        self._timeout = timeout
        self._sessions: dict[tuple[Association, bool], Iterator[Element]] = {}

    def respond(self, association: Association, receiver: int, own_only: bool, now: float, private: bool) -> bytes:
        """The next ENRP_HANDLE_TABLE_RESPONSE, encoded.

        @param private: whether the elements' private parameters are in it.
        """
        key = (association, own_only)
        elements = self._sessions.get(key)
        self.expire(*key, now)
        if elements is None:
            if len(self._sessions) >= MOST_SESSIONS:
                return encode_handle_table_response(self._server, receiver, (), rejected=True)
            elements = iter(self._snapshot(own_only))
        chosen, size = [], 0
        for element in elements:
            # An element that went and came back was announced.
            if element in self._handlespace and (not own_only or element.home == self._server):
                chosen.append(element)
                size += len(element.wire) + len(element.handle) + 8
                if size >= SIZE:
                    self._sessions[key] = elements
                    self._timers.set((TABLE, *key), now + self._timeout)
                    break
        more = key in self._sessions
        return encode_handle_table_response(self._server, receiver, _entries(chosen, private), more=more)

    def expire(self, association: Association, own_only: bool, now: float) -> list[Effect]:
        """L{TABLE} is due, or the session goes on, or is over."""
        self._sessions.pop((association, own_only), None)
        self._timers.cancel((TABLE, association, own_only))
        return []

    def forget(self, association: Association) -> None:
        """An association is gone."""
        for own_only in (False, True):
            self.expire(association, own_only, 0.0)

    def _snapshot(self, own_only: bool) -> list[Element]:
        # By pool, so that each handle is sent once in a response.
        elements = (element for pool in self._handlespace.pools.values() for element in pool.elements.values())
        return [element for element in elements if not own_only or element.home == self._server]


def _entries(elements: list[Element], private: bool) -> list[tuple[bytes, list[bytes]]]:
    entries: list[tuple[bytes, list[bytes]]] = []
    for element in elements:
        if not entries or entries[-1][0] != element.handle:
            entries.append((element.handle, []))
        entries[-1][1].append(element.told(private))
    return entries
