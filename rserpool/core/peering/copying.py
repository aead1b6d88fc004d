"""What peers tell is taken: what is new, of others and in a known pool, as the bytes that it is.

RFC 5353 sections 3.2.3 and 3.3.1.
"""

from __future__ import annotations

from rserpool.core.access import State
from rserpool.core.effects import Association
from rserpool.core.handlespace.changes import Added, Copied, Outcome
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.replica import Replica
from rserpool.core.ruling import What
from rserpool.core.wire.enrp import HandleTableResponse
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.core.wire.rows import Row, rows_of
from rserpool.core.wire.tlv import LONGEST, MOST_ELEMENTS


class Copying:
    """Into our handlespace."""

    def __init__(self, server: int, handlespace: Handlespace, replica: Replica) -> None:
        self._server = server
        self._handlespace = handlespace
        self._replica = replica

    def take(self, mentor: int, association: Association, table: HandleTableResponse) -> list[Outcome]:
        """3.2.3 step 4: our mentor's table has these elements, of everybody."""
        outcomes: list[Outcome] = []
        copied: list[Element] = []
        forgotten: list[tuple[bytes, PoolElementParameter]] = []
        roomy = self._handlespace.roomy(MOST_ELEMENTS, LONGEST)
        for handle, elements in rows_of(table):
            for each in elements:
                if roomy and isinstance(each, Row) and (element := self._copied(handle, each)) is not None:
                    copied.append(element)
                    continue
                parameter = each.parameter() if isinstance(each, Row) else each
                outcomes += self._replica.told(What.LIST, mentor, association, handle, parameter, mentor=True)[1]
                if parameter.home == self._server:
                    forgotten.append((handle, parameter))
        # What we owned before we were restarted with the same identifier is ours again, if it lives.
        for handle, parameter in forgotten:
            outcomes += self._replica.restored(handle, parameter)
        return [Copied(copied), *outcomes] if copied else outcomes

    def told(
        self, peer: int, association: Association, handle: bytes, element: Row | PoolElementParameter
    ) -> tuple[Element | None, list[Outcome]]:
        """3.3.1: a peer announces an element; see L{Replica.told}."""
        if isinstance(element, Row):
            roomy = element.home == peer and self._handlespace.roomy(1, len(element.wire))
            copied = self._copied(handle, element) if roomy else None
            if copied is not None:
                return copied, [Added(copied, peer)]
            element = element.parameter()
        return self._replica.told(What.ANNOUNCE, peer, association, handle, element)

    def _copied(self, handle: bytes, row: Row) -> Element | None:
        """A new element of somebody else, whom the mentor may speak for; None if it must be looked at closer."""
        if row.home in (0, self._server) or (row.owner is None and self._replica.access.state is State.REQUIRED):
            return None
        return self._handlespace.copy(handle, row)
