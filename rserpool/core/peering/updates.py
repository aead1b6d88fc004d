"""What peers are told when an element of ours comes, changes or goes (RFC 5353 section 3.3)."""

from __future__ import annotations

from rserpool.core.effects import Effect, Send
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peers import Peer, PeerList
from rserpool.core.peering.suggestion import Suggestions
from rserpool.core.wire.enrp import UpdateAction, encode_handle_update
from rserpool.core.wire.private import encode_dead


class Updates:
    """One ENRP_HANDLE_UPDATE to each peer, without private parameters to those that do not know them."""

    def __init__(self, server: int, handlespace: Handlespace, peers: PeerList) -> None:
        self._server = server
        self._peers = peers
        self._suggestions = Suggestions(server, handlespace, peers)

    def announce(self, action: UpdateAction, element: Element, suggest: bool, dead: bool = False) -> list[Effect]:
        """Tell all peers about an element of ours.

        @param suggest: whether to suggest a takeover (draft-dreibholz-rserpool-enrp-takeover).
        @param dead: whether it did not answer.
        """
        if not len(self._peers):
            return []
        connected = [peer for peer in self._peers if peer.association is not None]
        updates = {
            private: self._update(action, element, private, dead=dead)
            for private in {peer.private for peer in connected}
        }
        effects: list[Effect] = [Send(peer.association, updates[peer.private]) for peer in connected]
        if suggest and action is UpdateAction.ADD_PE:
            better = self._suggestions.for_element(element)
            if better is not None:
                effects += self.suggest(element, better)
        return effects

    def suggest(self, element: Element, peer: Peer) -> list[Effect]:
        """Suggest to a peer that it becomes the home of an element of ours."""
        if peer.association is None:
            return []
        return [Send(peer.association, self._update(UpdateAction.ADD_PE, element, peer.private, peer.identifier))]

    def _update(
        self, action: UpdateAction, element: Element, private: bool, suggested_to: int = 0, dead: bool = False
    ) -> bytes:
        wire, more = element.told(private), encode_dead((element.identifier,)) if dead and private else b""
        return encode_handle_update(self._server, suggested_to, action, element.handle, wire, bool(suggested_to), more)
