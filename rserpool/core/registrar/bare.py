"""What is not secured in a scope on its way to TLS: elements without an owner, and who speaks in the clear."""

from __future__ import annotations

from itertools import islice
from typing import Final

from rserpool.core.addresses import TransportAddress, in_short
from rserpool.core.frozen import frozen
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peers import PeerList
from rserpool.core.registrar.clients import Clients
from rserpool.core.registrar.events import NotYetRequired
from rserpool.core.registrar.gate import Gate

SOME: Final = 5


@frozen
class InTheClear:
    """True where there is anything that must not be if TLS is required.

    @ivar elements: how many elements have no owner, here or at another home.
    @ivar some: a few of them: pools and PE identifiers.
    @ivar registrars: the identifiers of the peers that speak with us in the clear.
    @ivar clients: where elements and users are that speak with us in the clear; users alone are no obstacle.
    """

    elements: int
    some: tuple[tuple[bytes, int], ...]
    registrars: tuple[int, ...]
    clients: tuple[TransportAddress, ...]

    def __bool__(self) -> bool:
        return bool(self.elements or self.registrars)

    def __str__(self) -> str:
        clients = f"elements and users that speak in the clear: {in_short(self.clients)}" if self.clients else ""
        return "; ".join(filter(None, (str(self.refusal), clients)))

    @property
    def refusal(self) -> NotYetRequired:
        """Why TLS cannot be required yet."""
        return NotYetRequired(self.elements, self.some, self.registrars)


def in_the_clear(handlespace: Handlespace, clients: Clients, peers: PeerList, gate: Gate) -> InTheClear:
    """Look for it."""
    bare = [
        (handle, element.identifier)
        for handle, pool in handlespace.pools.items()
        for element in pool.elements.values()
        if element.owner is None
    ]
    standings = ((peer.identifier, gate.standing(peer.association)) for peer in peers if peer.association is not None)
    return InTheClear(
        len(bare),
        tuple(islice(bare, SOME)),
        tuple(sorted(each for each, standing in standings if standing is None or standing.credentials is None)),
        tuple(client.peer for client in clients if client.standing.credentials is None),
    )
