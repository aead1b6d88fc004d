"""Auditing and re-synchronisation: take a peer's own elements, drop what it does not have (RFC 5353 section 3.6)."""

from __future__ import annotations

from collections.abc import Callable

from rserpool.core.effects import Effect, Notify
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.events import Audited
from rserpool.core.peering.peers import Peer, PeerList
from rserpool.core.peering.replica import Replica
from rserpool.core.wire import enrp


class Audit:
    """One re-synchronisation that is under way.

    @ivar marked: the peer's elements that it has not mentioned so far, as keys of a dict (ordered).
    @ivar answer_by: when the next response is due (monotonic seconds).
    """

    __slots__ = ("answer_by", "marked")

    def __init__(self, elements: list[Element], answer_by: float) -> None:
        # 3.6.3 (1): mark every element that the peer owns.
        self.marked: dict[Element, None] = dict.fromkeys(elements)
        self.answer_by = answer_by

    def unmentioned(self, peer: int) -> list[Element]:
        """3.6.3 (5): what is still marked, and still the peer's."""
        return [element for element in self.marked if element.home == peer]


class Audits:
    """At most one re-synchronisation with each peer.

    @param no_response: MAX-TIME-NO-RESPONSE in seconds; a peer that takes longer is left alone until the next presence.
    """

    def __init__(
        self, server: int, handlespace: Handlespace, replica: Replica, peers: PeerList, no_response: float
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._replica = replica
        self._peers = peers
        self._no_response = no_response
        self._audits: dict[int, Audit] = {}

    def compare(self, peer: Peer, checksum: int | None, now: float) -> list[Effect]:
        """3.6.1 (3) to (5): a presence told the peer's own checksum; if ours of it differs, re-synchronise."""
        if checksum is None or checksum == self._handlespace.checksum_of(peer.identifier):
            return []
        return self.start(peer, now)

    def start(self, peer: Peer, now: float) -> list[Effect]:
        """3.6.3 (1), (2): mark, and request the elements that the peer owns (W flag 1)."""
        if peer.identifier in self._audits or peer.association is None:
            return []
        elements = list(self._handlespace.owned_by(peer.identifier))
        self._audits[peer.identifier] = Audit(elements, now + self._no_response)
        return self._request(peer.identifier)

    def mentioned(self, peer: int, element: Element | None) -> None:
        """3.6.3 (4): the peer mentioned an element: remove the mark. An update is newer than the table on its way."""
        audit = self._audits.get(peer)
        if audit is not None and element is not None:
            audit.marked.pop(element, None)

    def response(
        self,
        peer: int,
        message: enrp.HandleTableResponse,
        now: float,
        far: Callable[[], float | None] = lambda: None,
    ) -> list[Effect]:
        """3.6.3 (4), (5): take what the peer tells, and in the end drop what it did not mention.

        @param far: see L{Replica.added}.
        """
        audit = self._audits.get(peer)
        if audit is None:
            return []
        if message.rejected:
            del self._audits[peer]
            return []
        effects = self._replica.take(peer, message.entries, now, lambda element: self.mentioned(peer, element), far)
        if message.more_to_send:
            audit.answer_by = now + self._no_response
            return effects + self._request(peer)
        del self._audits[peer]
        gone = audit.unmentioned(peer)
        return [*effects, *self._replica.unmentioned(gone, now), Notify(Audited(peer, len(gone)))]

    def forget(self, peer: int) -> None:
        """The association with a peer is gone."""
        self._audits.pop(peer, None)

    def tick(self, now: float) -> None:
        """Give up those that got no answer."""
        for peer, audit in list(self._audits.items()):
            if now >= audit.answer_by:
                del self._audits[peer]

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        return min((audit.answer_by for audit in self._audits.values()), default=None)

    def _request(self, peer: int) -> list[Effect]:
        return self._peers.to(peer, enrp.HandleTableRequest(self._server, peer, True))
