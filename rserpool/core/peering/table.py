"""Handle table download, as the registrar that gives it sees it (RFC 5353 sections 3.2.3 and 3.6.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from operator import length_hint
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association, Effect, Send
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.wire.enrp import encode_handle_table_response
from rserpool.core.wire.tlv import MOST_ELEMENTS

TABLE: Final = "table"
"""The key of a download session that nobody continues: with the association, and whether it is of our own elements."""
PIECE: Final = "piece"
"""The key of a response that waits: with the same."""
SIZE, LARGER = 16_384, 30_000
"""Bytes of elements and handles in the first response, and in those that follow, which have L{MOST_ELEMENTS} at most:
small enough that resolutions get their turn in between."""
MOST_SESSIONS = 64
"""Download sessions at the same time; more are rejected (3.2.3), but none because of those of one machine alone."""
MOST_LOOKING = 8
"""So many of them are of those who are no registrars."""
PAUSE = 0.02
"""So many seconds lie between two responses of one session on average, and half of that at least, while clients are
served..."""
BUSY = 10
"""... so many since the last one, or more: who joins has time, and users have not."""
LOOKED_AT = 2_000
"""So many elements are looked at for one response: most may be gone since the session began."""


class _Session:
    __slots__ = ("asked", "elements", "looks_on", "rests_until", "served", "where")

    def __init__(self, elements: Iterator[Element], where: str, looks_on: bool, now: float) -> None:
        self.elements = elements
        self.where = where
        self.looks_on = looks_on
        # When the last response was to be given, and what the next one is to be.
        self.rests_until = now
        self.served = 0
        self.asked = 0, False


class TableSessions:
    """Keeps track of the progress of downloads (3.2.3 step 2).

    A session goes over the elements that were there when it began; what is gone by then is left out, what is new has
    been announced by updates.

    @param timeout: seconds until a session that nobody continues is forgotten.
    @ivar served: C{served()} tells how many requests of clients were answered so far.
    """

    def __init__(self, server: int, handlespace: Handlespace, timers: Timers, timeout: float) -> None:
        self._server = server
        self._handlespace = handlespace
        self._timers = timers
        self._timeout = timeout
        self._sessions: dict[tuple[Association, bool], _Session] = {}
        self.served: Callable[[], int] = lambda: 0

    def requested(
        self, association: Association, receiver: int, own_only: bool, now: float, private: bool, where: str = ""
    ) -> list[Outcome]:
        """ENRP_HANDLE_TABLE_REQUEST: L{respond} at once, or a little later if clients keep us busy."""
        session = self._sessions.get((association, own_only))
        if session is None or now >= session.rests_until or self.served() < session.served + BUSY:
            return [Send(association, self.respond(association, receiver, own_only, now, private, where))]
        session.asked = receiver, private
        self._timers.set((PIECE, association, own_only), session.rests_until)
        return []

    def continued(self, association: Association, own_only: bool, now: float) -> list[Effect]:
        """L{PIECE} is due."""
        session = self._sessions[association, own_only]
        receiver, private = session.asked
        return [Send(association, self.respond(association, receiver, own_only, now, private, session.where))]

    def respond(
        self, association: Association, receiver: int, own_only: bool, now: float, private: bool, where: str = ""
    ) -> bytes:
        """The next ENRP_HANDLE_TABLE_RESPONSE, encoded.

        @param receiver: who asks; 0 for somebody who is no registrar.
        @param private: whether the elements' private parameters are in it.
        @param where: the machine that asks.
        """
        key = (association, own_only)
        session = self._sessions.get(key)
        self.expire(*key, now)
        most = SIZE if session is None else LARGER
        if session is None:
            if not self._room(where, looks_on=not receiver, now=now):
                return encode_handle_table_response(self._server, receiver, (), rejected=True)
            session = _Session(iter(self._snapshot(own_only)), where, not receiver, now)
        # Each handle is sent once in a response.
        chosen: dict[bytes, list[bytes]] = {}
        find, size, count = self._handlespace.find, 0, 0
        for element in islice(session.elements, LOOKED_AT):
            handle = element.handle
            # An element that went and came back was announced.
            if find(handle, element.identifier) is element and (not own_only or element.home == self._server):
                wire = element.told(private)
                count += 1
                size += len(wire)
                if handle in chosen:
                    chosen[handle].append(wire)
                else:
                    chosen[handle] = [wire]
                    size += len(handle) + 8
                if size >= most or count == MOST_ELEMENTS:
                    break
        more = length_hint(session.elements) > 0
        if more:
            self._sessions[key] = session
            # What came late makes the next one come sooner.
            session.rests_until = max(min(session.rests_until, now) + PAUSE, now + PAUSE / 2)
            session.served = self.served()
            self._timers.set((TABLE, *key), now + self._timeout)
        return encode_handle_table_response(self._server, receiver, chosen.items(), more=more)

    def expire(self, association: Association, own_only: bool, now: float) -> list[Effect]:
        """L{TABLE} is due, or the session goes on, or is over."""
        self._sessions.pop((association, own_only), None)
        self._timers.cancel((TABLE, association, own_only))
        self._timers.cancel((PIECE, association, own_only))
        return []

    def forget(self, association: Association) -> None:
        """An association is gone."""
        for own_only in (False, True):
            self.expire(association, own_only, 0.0)

    def _room(self, where: str, looks_on: bool, now: float) -> bool:
        """Whether there is room for one more session, or is made: that of the machine with the most of them goes."""
        sessions = self._sessions
        if looks_on:
            return sum(session.looks_on for session in sessions.values()) < MOST_LOOKING
        if len(sessions) < MOST_SESSIONS:
            return True
        counts = Counter(session.where for session in sessions.values())
        most = max(counts, key=counts.__getitem__)
        if counts[where] + 1 >= counts[most]:
            return False
        self.expire(*next(key for key, session in sessions.items() if session.where == most), now)
        return True

    def _snapshot(self, own_only: bool) -> list[Element]:
        """Copied in one go: a hundred thousand take no longer than a few answers."""
        space = self._handlespace
        homes = (self._server,) if own_only else tuple(space.homes)
        return [*chain.from_iterable(map(space.owned_by, homes))]
