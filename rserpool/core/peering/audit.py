"""Auditing and re-synchronisation: take a peer's own elements, drop what it does not have (RFC 5353 section 3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rserpool.core import authority
from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association, Effect, Notify
from rserpool.core.handlespace.changes import Later, Outcome, consumed
from rserpool.core.handlespace.checksum import swapped
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.events import Audited, OutOfPlace
from rserpool.core.peering.peers import Peer, PeerList
from rserpool.core.peering.replica import Replica
from rserpool.core.ruling import What
from rserpool.core.wire import enrp

AUDIT: Final = "audit"
"""The key of the answer that an audit waits for: with the peer's identifier."""
AT_ONCE = 64
"""What a table with so many elements says is done at once; decoding a longer one was enough for one turn."""
LONGEST_REST = 60.0
"""Seconds until a peer is audited again some of whose elements we cannot take, again and again."""


class Audits:
    """At most one re-synchronisation with each peer: its elements that it has not mentioned so far are marked.

    @param no_response: MAX-TIME-NO-RESPONSE in seconds; a peer that takes longer is left alone until the next presence.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        replica: Replica,
        peers: PeerList,
        timers: Timers,
        no_response: float,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._replica = replica
        self._peers = peers
        self._timers = timers
        self._no_response = no_response
        # What each had when it began, and what it mentioned since: a list is copied quickly, however long it is.
        self._marked: dict[int, list[Element]] = {}
        self._mentioned: dict[int, set[Element]] = {}
        # The same, while what it did not mention is dropped.
        self._dropping: dict[int, set[Element]] = {}
        # Of peers with elements that we cannot take: how many audits in a row left some out, and until when to rest.
        self._left_out: dict[int, int] = {}
        self._rests: dict[int, tuple[int, float]] = {}

    def compare(self, peer: Peer, checksum: int | None, now: float) -> list[Effect]:
        """3.6.1 (3) to (5): a presence told the peer's own checksum; if ours of it differs, re-synchronise."""
        known = self._handlespace.checksum_of(peer.identifier)
        if checksum is not None and known != swapped(known):
            peer.swaps = checksum == swapped(known) or (peer.swaps and checksum != known)
        if checksum is not None:
            peer.told = swapped(checksum) if peer.swaps else checksum
        if checksum is None or known in (checksum, swapped(checksum)):
            self._rests.pop(peer.identifier, None)
            return []
        _, until = self._rests.get(peer.identifier, (0, now))
        return self.start(peer, now) if now >= until else []

    def start(self, peer: Peer, now: float) -> list[Effect]:
        """3.6.3 (1), (2): mark, and request the elements that the peer owns (W flag 1)."""
        if peer.identifier in self._marked or peer.association is None:
            return []
        self._marked[peer.identifier] = list(self._handlespace.owned_by(peer.identifier))
        self._mentioned[peer.identifier] = set()
        self._left_out[peer.identifier] = 0
        return self._request(peer.identifier, now)

    def mentioned(self, peer: int, element: Element | None) -> None:
        """3.6.3 (4): the peer mentioned an element: remove the mark. An update is newer than the table on its way."""
        if element is not None:
            for mentioned in (self._mentioned.get(peer), self._dropping.get(peer)):
                if mentioned is not None:
                    mentioned.add(element)

    def response(
        self, peer: int, association: Association, message: enrp.HandleTableResponse, now: float
    ) -> list[Outcome]:
        """3.6.3 (4), (5): take what the peer tells, and in the end drop what it did not mention."""
        if peer not in self._marked:
            return [Notify(OutOfPlace(peer, "ENRP_HANDLE_TABLE_RESPONSE"))]
        if message.rejected:
            self.forget(peer)
            return []
        self._timers.cancel((AUDIT, peer))
        few = sum(len(entry.elements) for entry in message.entries) <= AT_ONCE
        return [Later(self._heard(peer, association, message, self._mentioned[peer], now), now=few)]

    def _heard(
        self,
        peer: int,
        association: Association,
        message: enrp.HandleTableResponse,
        mentioned: set[Element],
        now: float,
    ) -> Iterator[Outcome | None]:
        """C{mentioned} tells this audit from another that may have begun meanwhile."""
        for entry in message.entries:
            yield None
            for parameter in entry.elements:
                if self._mentioned.get(peer) is not mentioned:
                    return
                element, outcomes = self._replica.told(What.LIST, peer, association, entry.handle, parameter)
                self.mentioned(peer, element)
                self._left_out[peer] += element is None
                yield from outcomes or (None,)
        if self._mentioned.get(peer) is not mentioned:
            return
        if message.more_to_send:
            yield from self._request(peer, now)
            return
        self._rest(peer, self._left_out[peer], now)
        marked = self._marked[peer]
        self._dropping[peer] = mentioned
        self.forget(peer)
        removed = 0
        # Some may have been removed or mentioned while the table was on the way, or are so now.
        for element in consumed(marked):
            rule = authority.says(What.OMIT, self._server, peer, element)
            there = element not in mentioned and element in self._handlespace and rule.allowed
            removed += there
            yield self._handlespace.deregister(element, rule.why) if there else None
        if self._dropping.get(peer) is mentioned:
            del self._dropping[peer]
        yield Notify(Audited(peer, removed))

    def forget(self, peer: int) -> None:
        """It is over, or the association with the peer is gone."""
        self._marked.pop(peer, None)
        self._mentioned.pop(peer, None)
        self._left_out.pop(peer, None)
        self._timers.cancel((AUDIT, peer))

    def give_up(self, peer: int, now: float) -> list[Effect]:
        """L{AUDIT} is due: there was no answer."""
        self.forget(peer)
        return []

    def _rest(self, peer: int, left_out: int, now: float) -> None:
        """What we could not take this time we cannot take the next time either: a limit is reached, or pools differ and
        their homes know by now."""
        times, _ = self._rests.pop(peer, (0, now))
        if left_out:
            pause = min(self._no_response * 2 ** min(times, 10), LONGEST_REST) if times else 0.0
            self._rests[peer] = times + 1, now + pause

    def _request(self, peer: int, now: float) -> list[Effect]:
        self._timers.set((AUDIT, peer), now + self._no_response)
        return self._peers.to(peer, enrp.HandleTableRequest(self._server, peer, True))
