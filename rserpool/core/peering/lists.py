"""Peer lists: what we tell of our peers, and whom we dial of those that a peer names (RFC 5353 section 3.2.2.2)."""

from __future__ import annotations

from rserpool.core.addresses import machine
from rserpool.core.effects import Effect
from rserpool.core.peering.dials import Dials
from rserpool.core.peering.peers import Peer, PeerList, usable_address
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import ServerInformation, server_information

ROOM = 60_000
"""Bytes of server information in one list: a message has no more than 65,535."""


class PeerLists:
    """Requests and responses.

    @param server: our server identifier.
    """

    def __init__(self, server: int, peers: PeerList, dials: Dials) -> None:
        self._server = server
        self._peers = peers
        self._dials = dials

    def told(self, peer: Peer, ready: bool) -> enrp.ListResponse:
        """What C{peer} is answered: those that are there come first, if not all have room.

        @param ready: whether we are initialized; else its request is rejected.
        """
        if not ready:
            return enrp.ListResponse(self._server, peer.identifier, rejected=True)
        others = [other for other in self._peers if other is not peer and other.monitored]
        others.sort(key=lambda other: other.association is None)
        told: list[ServerInformation] = []
        left = ROOM
        for other in others:
            information = other.described(peer.private)
            if information is not None:
                left -= len(server_information(information))
                if left < 0:
                    break
                told.append(information)
        return enrp.ListResponse(self._server, peer.identifier, tuple(told))

    def heard(self, peer: Peer, message: enrp.ListResponse, now: float) -> list[Effect]:
        """A peer names others: those that we do not know are dialled, so many as it may name."""
        effects: list[Effect] = []
        if not message.rejected:
            peer.names = frozenset(information.identifier for information in message.servers)
        if peer.address is None:
            return effects
        source = peer.address.hosts[0]
        known = {self._server, *self._peers.connected}
        for information in message.servers:
            if information.identifier not in known:
                address = usable_address(information, source)
                if address is not None:
                    effects += self._dials.named(address, peer.origin or machine(source), now)
        return effects
