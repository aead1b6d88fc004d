"""What a registrar tells about itself to others (RFC 5353 sections 2.1 and 3.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from rserpool.core.addresses import TransportAddress, machine
from rserpool.core.effects import Announce, Association, Effect, Notify, Send
from rserpool.core.handlespace.checksum import swapped
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.identity import Identity
from rserpool.core.peering.events import Namesake
from rserpool.core.peering.peers import Peer, PeerList
from rserpool.core.wire import enrp
from rserpool.core.wire.orders import Drainer, Ordering
from rserpool.core.wire.parameters import ServerInformation


class Ourselves:
    """Our own presence.

    The UDP port of SCTP over UDP is a private parameter, of which a registrar that does not know it may end. So it goes
    only to who knows it, and never by multicast; who learns of us without it takes the port that it sees.

    @param encapsulated: whether an association is encapsulated in UDP.
    @ivar server: our server identifier.
    @ivar identity: what proves who we are where we dial; it is told where we were dialled, over TLS alone: a key that
        both ends know does not say which of those that know it answers.
    @ivar leaving: whether we have handed all elements over, and end.
    @ivar drainers: tells which elements of ours drain.
    @ivar over_tls: C{over_tls(association)}: whether it is secured.
    """

    def __init__(
        self, server: int, handlespace: Handlespace, peers: PeerList, encapsulated: Callable[[Association], bool]
    ) -> None:
        self.server = server
        self._handlespace = handlespace
        self._peers = peers
        self._encapsulated = encapsulated
        self._information: ServerInformation | None = None
        self._plain: ServerInformation | None = None
        self._discover = False
        self._namesake = False
        self.identity: Identity | None = None
        self.leaving = False
        self.drainers: Callable[[], tuple[Drainer, ...]] = tuple
        self.over_tls: Callable[[Association], bool] = lambda association: False

    @property
    def machines(self) -> frozenset[str]:
        """Those that our addresses stand for."""
        hosts = () if self._information is None else self._information.transport.addresses
        return frozenset(("loopback", *map(machine, hosts)))

    def settle(self, information: ServerInformation, discover: bool) -> None:
        """Where we are, and whether to look for others by multicast."""
        self._information = information
        self._plain = replace(information, encapsulation=0)
        self._discover = discover

    def presence(
        self,
        association: Association,
        receiver: int = 0,
        *,
        reply_required: bool = False,
        order: Ordering | None = None,
    ) -> Effect:
        """ENRP_PRESENCE over an association, with our checksum as it is now; C{order}: for who knows such alone."""
        peer = self._peers.over(association)
        told = peer is not None and peer.private and self._encapsulated(association)
        presence = self._presence(self._information if told else self._plain, receiver, reply_required)
        if peer is not None and peer.swaps and presence.checksum is not None:
            presence = replace(presence, checksum=swapped(presence.checksum))
        if self.identity is not None and self.over_tls(association):
            presence = replace(presence, identity=self.identity)
        if peer is not None and peer.private and (self.leaving or self.drainers()):
            presence = replace(presence, drainers=self.drainers(), leaving=self.leaving)
        return Send(association, presence if order is None else replace(presence, order=order))

    def presences(self, associations: Iterable[Association]) -> list[Effect]:
        """The same over each of these."""
        return [self.presence(association) for association in associations]

    def ask(self, peer: Peer) -> list[Effect]:
        """3.4.3: ask a peer that has an association whether it lives.

        A registrar that does not know the Reply-required flag answers a request for its list.
        """
        if peer.association is None:
            return []
        presence = self.presence(peer.association, peer.identifier, reply_required=True)
        if peer.private:
            return [presence]
        return [presence, Send(peer.association, enrp.ListRequest(self.server, peer.identifier))]

    def announced(self) -> list[Effect]:
        """The same by multicast, if that is wanted."""
        return [Announce(self._presence(self._plain, 0, False), "enrp")] if self._discover else []

    def mirrored(self, message: enrp.Message, place: TransportAddress | None) -> list[Effect]:
        """Somebody at C{place} speaks as us: another registrar with our identifier, unless we dialled ourselves."""
        theirs = message.information if isinstance(message, enrp.Presence) else None
        ours = self._information
        if theirs is None or ours is None or self._namesake:
            return []
        hosts = theirs.transport.addresses
        seen = 0 if place is None else place.encapsulation
        udp = theirs.encapsulation or seen or ours.encapsulation
        where = theirs.transport.port, udp
        if where == (ours.transport.port, ours.encapsulation) and not set(hosts).isdisjoint(ours.transport.addresses):
            return []
        # It dials for ever: once said is enough.
        self._namesake = True
        return [Notify(Namesake(TransportAddress(hosts, *where)))]

    def _presence(self, information: ServerInformation | None, receiver: int, reply_required: bool) -> enrp.Presence:
        checksum = self._handlespace.checksum_of(self.server)
        return enrp.Presence(self.server, receiver, checksum, information, reply_required, private=True)
