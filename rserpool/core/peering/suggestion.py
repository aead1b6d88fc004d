"""Sharing the work: a busy registrar suggests takeovers (draft-dreibholz-rserpool-enrp-takeover)."""

from __future__ import annotations

from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peers import Peer, PeerList


class Suggestions:
    """Chooses who should become the home of an element of ours, if we have clearly more than others.

    What was suggested, and has not happened yet, counts as done.
    """

    def __init__(self, server: int, handlespace: Handlespace, peers: PeerList) -> None:
        self._server = server
        self._handlespace = handlespace
        self._peers = peers
        self._moving: dict[Element, int] = {}

    def for_element(self, element: Element) -> Peer | None:
        """The connected peer with the fewest elements, or None if the element is well where it is."""
        self._moving.pop(element, None)
        self._moving = {one: to for one, to in self._moving.items() if one.watch}
        connected = [peer for peer in self._peers if peer.association is not None and peer.monitored]
        if not connected:
            return None
        moving = list(self._moving.values())
        load = {
            peer: len(self._handlespace.owned_by(peer.identifier)) + moving.count(peer.identifier) for peer in connected
        }
        least = min(connected, key=lambda peer: (load[peer], peer.identifier))
        own = len(self._handlespace.owned_by(self._server)) - len(moving)
        if own <= load[least] + max(1, load[least] // 10):
            return None
        self._moving[element] = least.identifier
        return least
