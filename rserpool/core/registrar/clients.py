"""Who speaks ASAP with a registrar: one record an association (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rserpool.core import authority
from rserpool.core.access import Access, Standing
from rserpool.core.addresses import TransportAddress, machine, scope
from rserpool.core.effects import Association
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.limits import Limits, TokenBucket
from rserpool.core.identity import Credentials
from rserpool.core.registrar.counts import Counts
from rserpool.core.registrar.observing import Observer
from rserpool.core.wire import usual
from rserpool.core.wire.parameters import DATA_ONLY, SctpTransport


class Client:
    """One association of a pool element or pool user (or both).

    @ivar association: the token by which effects name it.
    @ivar peer: where it comes from; C{hosts} are its IP addresses.
    @ivar machine: the machine that it is at.
    @ivar asap_transport: the same as the ASAP transport of the elements that it registers (3.1 rule 4);
        C{encapsulation} is its UDP port, 0 for plain SCTP.
    @ivar outbound: whether the registrar opened it, to probe an element.
    @ivar standing: what it may be in this scope.
    @ivar elements: the elements that it registered, as keys of a dict (ordered, so that runs repeat).
    @ivar bytes: how long these are, with the handle of its pool for each.
    @ivar subscriptions: pool handles whose changes it wants.
    @ivar paused: whether its send buffer is full.
    @ivar private: whether it has said that it knows the private parameters.
    """

    __slots__ = (
        "_control",
        "asap_transport",
        "association",
        "bytes",
        "elements",
        "encapsulation",
        "hosts",
        "machine",
        "outbound",
        "paused",
        "peer",
        "private",
        "reports",
        "requests",
        "sees",
        "standing",
        "subscriptions",
    )

    def __init__(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        limits: Limits,
        outbound: bool,
        standing: Standing,
    ) -> None:
        self.association = association
        self.standing = standing
        self.encapsulation = peer.encapsulation
        self.moved(peer)
        self.outbound = outbound
        self.elements: dict[Element, None] = {}
        self.bytes = 0
        self.subscriptions: dict[bytes, None] = {}
        self.paused = self.private = False
        self.requests = TokenBucket(limits.requests_per_second, now)
        self.reports = TokenBucket(limits.reports_per_second, now)

    def moved(self, peer: TransportAddress) -> None:
        """It comes from these addresses (now: RFC 5061)."""
        self.peer = peer
        self.hosts = frozenset(peer.hosts)
        self.machine = machine(peer.hosts[0])
        self.asap_transport = SctpTransport(peer.port, DATA_ONLY, peer.hosts)
        self.sees = _VISIBLE[scope(peer.hosts[0])]
        self._control: bytes | None = None

    @property
    def control(self) -> bytes:
        """Its ASAP transport, as it stands in the elements that it registers."""
        if self._control is None:
            self._control = usual.control(self.asap_transport, self.encapsulation)
        return self._control

    @property
    def reliable(self) -> bool:
        """Whether it may send what only elements send: over SCTP alone (RFC 5352 section 2.1)."""
        return self.peer.protocol == "sctp"


class Clients:
    """Everybody who is there, by association; the one writer of whose element it is.

    An element belongs to the client over which it speaks: C{Element.association} and C{Client.elements} say the same.

    @ivar get: who speaks over an association; None if nobody does.
    @ivar access: who may be what.
    @ivar counts: what they were answered so far.
    @ivar observer: whether anybody looks on.
    """

    def __init__(self, limits: Limits, access: Access) -> None:
        self.limits = limits
        self.access = access
        self.counts, self.observer = Counts(), Observer()
        self._clients: dict[Association | None, Client] = {}
        self.get = self._clients.get

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._clients.values()))

    def up(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        outbound: bool,
        credentials: Credentials = None,
    ) -> Client:
        """An association or connection is up."""
        self.counts.met += 1
        standing = self.access.standing(credentials)
        client = self._clients[association] = Client(association, peer, now, self.limits, outbound, standing)
        return client

    def judged_anew(self) -> list[Client]:
        """Who may be what has changed; whose associations end."""
        cut: list[Client] = []
        for client in self._clients.values():
            client.standing = self.access.standing(client.standing.credentials)
            if authority.cuts(self.access, client.standing):
                cut.append(client)
        return cut

    def moved(self, association: Association, hosts: tuple[str, ...]) -> None:
        """Its IP addresses are these now."""
        client = self._clients.get(association)
        if client is not None and hosts:
            client.moved(replace(client.peer, hosts=hosts))

    def lost(self, association: Association) -> tuple[Client | None, list[Element]]:
        """An association is gone; returns who it was, and the elements that have none now."""
        client = self._clients.pop(association, None)
        if client is None:
            return None, []
        orphans = list(client.elements)
        for element in orphans:
            self.release(element)
        return client, orphans

    def bind(self, client: Client, element: Element) -> None:
        """An element speaks over the client's association."""
        length = len(element.wire) + len(element.handle)
        if element.association != client.association:
            if element.association is not None:
                self.release(element)
            element.association = client.association
            client.elements[element] = None
        client.bytes += length - element.counted
        element.counted = length

    def release(self, element: Element) -> None:
        """It speaks over none of ours any more."""
        former = self._clients.get(element.association)
        if former is not None:
            former.elements.pop(element, None)
            former.bytes -= element.counted
        element.association = None
        element.counted = 0


# Which scopes of address a client can use, by the scope of the address that it comes from.
_VISIBLE = {
    "loopback": frozenset({"loopback", "link", "global"}),
    "link": frozenset({"link", "global"}),
    "global": frozenset({"global"}),
}
