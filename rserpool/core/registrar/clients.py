"""Who speaks ASAP with a registrar: one record an association (RFC 5352 section 4)."""

from __future__ import annotations

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress, same_place, scope
from rserpool.core.effects import Association
from rserpool.core.handlespace.element import Element
from rserpool.core.registrar.limits import Limits, TokenBucket
from rserpool.core.wire.parameters import DATA_ONLY, SctpTransport


class Client:
    """One association of a pool element or pool user (or both).

    @ivar association: the token by which effects name it.
    @ivar peer: where it comes from; C{hosts} are its IP addresses.
    @ivar asap_transport: the same as the ASAP transport of the elements that it registers (3.1 rule 4);
        C{encapsulation} is its UDP port, 0 for plain SCTP.
    @ivar outbound: whether the registrar opened it, to probe an element.
    @ivar elements: the elements that it registered, as keys of a dict (ordered, so that runs repeat).
    @ivar subscriptions: pool handles whose changes it wants.
    @ivar paused: whether its send buffer is full.
    """

    __slots__ = (
        "asap_transport",
        "association",
        "elements",
        "encapsulation",
        "hosts",
        "outbound",
        "paused",
        "peer",
        "reports",
        "requests",
        "sees",
        "subscriptions",
    )

    def __init__(
        self, association: Association, peer: TransportAddress, now: float, limits: Limits, outbound: bool
    ) -> None:
        self.association = association
        self.moved(peer)
        self.encapsulation = peer.encapsulation
        self.outbound = outbound
        self.elements: dict[Element, None] = {}
        self.subscriptions: dict[bytes, None] = {}
        self.paused = False
        self.requests = TokenBucket(limits.requests_per_second, now)
        self.reports = TokenBucket(limits.reports_per_second, now)

    def moved(self, peer: TransportAddress) -> None:
        """It comes from these addresses (now: RFC 5061)."""
        self.peer = peer
        self.hosts = frozenset(peer.hosts)
        self.asap_transport = SctpTransport(peer.port, DATA_ONLY, peer.hosts)
        self.sees = _VISIBLE[scope(peer.hosts[0])]

    @property
    def reliable(self) -> bool:
        """Whether it may send what only elements send: over SCTP alone (RFC 5352 section 2.1)."""
        return self.peer.protocol == "sctp"

    def is_at(self, address: TransportAddress | None) -> bool:
        """Whether it speaks from this recorded ASAP transport."""
        return address is not None and same_place(self.peer, address)


class Places:
    """Which client is at which transport address."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, int, int], Client] = {}

    def add(self, client: Client) -> None:
        """It is there."""
        if client.reliable:
            for place in _places(client.peer):
                self._clients[place] = client

    def remove(self, client: Client) -> None:
        """It is gone; another may be there already."""
        for place in _places(client.peer):
            if self._clients.get(place) is client:
                del self._clients[place]

    def at(self, address: TransportAddress) -> Client | None:
        """The client at this address."""
        return next((self._clients[place] for place in _places(address) if place in self._clients), None)


def _places(address: TransportAddress) -> list[tuple[str, int, int]]:
    udp = address.encapsulation or ENCAPSULATION_PORT
    return [(host, address.port, udp) for host in address.hosts]


# Which scopes of address a client can use, by the scope of the address that it comes from.
_VISIBLE = {
    "loopback": frozenset({"loopback", "link", "global"}),
    "link": frozenset({"link", "global"}),
    "global": frozenset({"global"}),
}
