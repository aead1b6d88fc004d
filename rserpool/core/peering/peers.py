"""The peer list of a registrar: who the others are, and whether they live (RFC 5353 section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Final

from rserpool.core import authority
from rserpool.core.addresses import TransportAddress, is_name, machine, scope
from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association, Effect, Send
from rserpool.core.profiles import Profile
from rserpool.core.ruling import Rule
from rserpool.core.wire import enrp
from rserpool.core.wire.orders import Drainer
from rserpool.core.wire.parameters import DATA_ONLY, PoolElementParameter, SctpTransport, ServerInformation

PEER: Final = "peer"
"""The key of a peer that may be silent: it may be due too early, since whatever it says puts it off."""
MOST_ADDRESSES = 16
"""So many IP addresses of a registrar are kept, told and dialled; the others that it says it has are left out."""
MOST_PEERS = 1000
"""So many registrars are heard at the same time."""


class Peer:
    """What is known of one other registrar.

    @ivar association: over which we speak; None while there is none.
    @ivar address: where it can be reached.
    @ivar origin: the machine that it was first heard from.
    @ivar last_heard: RFC 5353 section 4.1: when anything came from it (monotonic seconds).
    @ivar answer_by: when a probe that is under way counts as failed, or None.
    @ivar private: whether it showed that it knows our private parameters; until then it is sent none.
    @ivar swaps: whether it tells checksums in the wrong byte order; it is told them so, too.
    @ivar refuses: whether it told us that it does not believe us: it lives, and what is its own stays its own.
    @ivar told: the checksum that it told of its own elements last, in our byte order; None if it told none.
    @ivar names: the registrars that it named when it was asked last; None if it has named none yet.
    @ivar drainers: its elements that drain.
    @ivar leaving: whether it has handed its elements over, and says that it ends.
    @ivar monitored: False while its takeover is under way, ours or another's (3.5.1: "not active").
    """

    __slots__ = (
        "address", "answer_by", "association", "drainers", "identifier", "information", "last_heard", "leaving",
        "monitored", "names", "origin", "private", "refuses", "swaps", "told",
    )  # fmt: skip

    def __init__(self, identifier: int, now: float, origin: str = "") -> None:
        self.identifier = identifier
        self.origin = origin
        self.association: Association | None = None
        self.address: TransportAddress | None = None
        self.information: ServerInformation | None = None
        self.last_heard = now
        self.answer_by: float | None = None
        self.monitored = True
        self.private = False
        self.refuses = False
        self.swaps = False
        self.told: int | None = None
        self.names: frozenset[int] | None = None
        self.drainers: tuple[Drainer, ...] = ()
        self.leaving = False

    def learn(self, information: ServerInformation, place: TransportAddress | None) -> None:
        """It told who and where it is; without a UDP port, that of C{place} counts, where it was seen or dialled."""
        if len(information.transport.addresses) > MOST_ADDRESSES:
            few = replace(information.transport, addresses=information.transport.addresses[:MOST_ADDRESSES])
            information = replace(information, transport=few)
        if not information.encapsulation and place is not None:
            information = replace(information, encapsulation=place.encapsulation)
        self.information = information
        self.address = TransportAddress(
            information.transport.addresses, information.transport.port, information.encapsulation
        )

    def described(self, private: bool) -> ServerInformation | None:
        """What others are told of it: what it said itself, or where we speak with it; None if we know neither.

        @param private: whether the UDP port is told.
        """
        told, address = self.information, self.address
        if told is None:
            if address is None:
                return None
            transport = SctpTransport(address.port, DATA_ONLY, address.hosts)
            told = ServerInformation(self.identifier, transport, address.encapsulation)
        return told if private else replace(told, encapsulation=0)


class PeerList:
    """The peers, and the associations with them.

    @ivar failures: how many have failed so far, one by one.
    """

    def __init__(self, server: int, profile: Profile, timers: Timers) -> None:
        self._server = server
        self._profile = profile
        self._timers = timers
        self.failures = 0
        self._peers: dict[int, Peer] = {}
        self._associations: dict[Association, TransportAddress] = {}
        self._senders: dict[Association, int] = {}
        # Over which private parameters were shown to be known; a peer may be removed, and be one again over the same.
        self._knowing: set[Association] = set()

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def __contains__(self, identifier: int) -> bool:
        return identifier in self._peers

    def get(self, identifier: int) -> Peer | None:
        """The peer of this identifier."""
        return self._peers.get(identifier)

    def present(self, identifier: int) -> bool:
        """Whether there is an association with this peer; 0 is nobody and we are ourselves, and need none."""
        peer = self._peers.get(identifier)
        return identifier in (0, self._server) if peer is None else peer.association is not None

    @property
    def connected(self) -> tuple[int, ...]:
        """Identifiers of the peers with an association, in order."""
        return tuple(sorted(peer.identifier for peer in self._peers.values() if peer.association is not None))

    # What goes to them

    def to_all(self, message: enrp.Message | bytes) -> list[Effect]:
        """An announcement: a copy over the association to each peer (3.1)."""
        return [Send(peer.association, message) for peer in self._peers.values() if peer.association is not None]

    @property
    def associations(self) -> list[Association]:
        """One with each peer that has any."""
        return [peer.association for peer in self._peers.values() if peer.association is not None]

    @property
    def speaks_with_any(self) -> bool:
        """Whether there is an association at all, be it with somebody of whom nothing is known yet."""
        return bool(self._associations)

    @property
    def of_removed(self) -> list[Association]:
        """Each association that is up with a registrar that is no peer any more.

        Another registrar took it over where not all can reach all. It may live, and we may be no peer of its either.
        """
        return [association for association, sender in self._senders.items() if sender not in self._peers]

    def leaves(self, association: Association) -> bool:
        """Whether who speaks over it says that it ends."""
        peer = self.over(association)
        return peer is not None and peer.leaving

    def over(self, association: Association) -> Peer | None:
        """The peer that speaks over an association."""
        return self._peers.get(self._senders.get(association, 0))

    def to(self, identifier: int, message: enrp.Message) -> list[Effect]:
        """A message for one peer, if there is an association with it."""
        peer = self._peers.get(identifier)
        return [] if peer is None or peer.association is None else [Send(peer.association, message)]

    # The associations

    def up(self, association: Association, address: TransportAddress) -> bool:
        """An association with somebody is up; whether it is new: one that is dialled may have dialled us."""
        new = association not in self._associations
        self._associations[association] = address
        return new

    def moved(self, association: Association, hosts: tuple[str, ...], now: float) -> list[Effect]:
        """A peer that was dialled by its name is at these IP addresses, or these of its addresses are proved."""
        where = self._associations.get(association)
        if where is not None and (is_name(where.hosts[0]) or hosts[0] in where.hosts):
            self._associations[association] = replace(where, hosts=hosts)
        return []

    def address_of(self, association: Association) -> TransportAddress | None:
        """Where an association leads to."""
        return self._associations.get(association)

    def expected_at(self, address: TransportAddress) -> list[Peer]:
        """The peers that are at an address, and have no association."""
        return [peer for peer in self._peers.values() if peer.address == address and peer.association is None]

    def lost(self, association: Association) -> Peer | None:
        """An association is gone; returns the peer that has none left."""
        self._associations.pop(association, None)
        self._knowing.discard(association)
        peer = self._peers.get(self._senders.pop(association, 0))
        if peer is None or peer.association != association:
            return None
        peer.association = next((other for other, sender in self._senders.items() if sender == peer.identifier), None)
        return peer if peer.association is None else None

    def speaks(self, association: Association, sender: int) -> Rule:
        """Whether an association may speak as the server C{sender}."""
        before = self._senders.get(association)
        place = self._associations.get(association)
        if before is not None or place is None:
            return authority.speaks(self._server, sender, before)
        peer = self._peers.get(sender)
        where = machine(place.hosts[0])
        return authority.speaks(
            self._server,
            sender,
            before,
            hosts=place.hosts,
            present=None if peer is None else self._hosts(peer),
            neighbours=sum(where == each.origin for each in self._peers.values()),
            full=len(self._peers) >= MOST_PEERS,
        )

    def steady(self, association: Association, sender: int) -> Peer | None:
        """The peer that spoke over an association before, if L{speaks} and L{heard} would find nothing new."""
        peer = self._peers.get(sender)
        if peer is None or peer.refuses or peer.association is None or peer.address is None or not peer.private:
            return None
        return peer if self._senders.get(association) == sender and association in self._knowing else None

    def heard(self, association: Association, message: enrp.Message, now: float) -> tuple[Peer, bool]:
        """A message came (3.4.1, 3.4.3).

        @return: its sender, and whether that is a new peer, or one that had no association.
        """
        place, sender = self._associations.get(association), message.sender
        peer = self._peers.get(sender)
        if association not in self._knowing and knows_private(message):
            self._knowing.add(association)
        if peer is None:
            peer = self._peers[sender] = Peer(sender, now, "" if place is None else machine(place.hosts[0]))
            self.watch(peer)
        self._senders[association] = sender
        if peer.address is None:
            peer.address = place
        peer.private = peer.private or association in self._knowing
        if peer.refuses and not isinstance(message, _BEFORE_IT_KNOWS):
            peer.refuses = False
            self.monitor(sender, True)
        self.alive(peer, now)
        if peer.association is None:
            peer.association = association
            return peer, True
        return peer, False

    def identified(self, association: Association) -> bool:
        """Whether somebody has spoken over an association."""
        return association in self._senders

    def alive(self, peer: Peer, now: float) -> None:
        """3.4.1: a peer gave a sign of life."""
        peer.last_heard = now
        peer.answer_by = None

    def speaks_with_us(self, identifier: int, now: float) -> bool:
        """Whether a peer spoke with us lately, and can still do so."""
        peer = self._peers.get(identifier)
        return (
            peer is not None
            and peer.association is not None
            and now < peer.last_heard + self._profile.max_time_last_heard
        )

    def is_at(self, peer: Peer, host: str) -> bool:
        """Whether a peer is at this IP address."""
        return host in (self._hosts(peer) or (() if peer.address is None else peer.address.hosts))

    # Whether they live

    def silent_at(self, peer: Peer) -> float:
        """3.4.3: when a peer is to be probed, or has failed, if it says nothing until then."""
        if not peer.monitored:
            return inf
        return peer.last_heard + self._profile.max_time_last_heard if peer.answer_by is None else peer.answer_by

    def watch(self, peer: Peer) -> None:
        """Have L{PEER} come when it is silent."""
        self._timers.set((PEER, peer.identifier), self.silent_at(peer))

    def monitor(self, identifier: int, monitored: bool) -> Peer | None:
        """Watch a peer, or do not (3.5.1: "active")."""
        peer = self._peers.get(identifier)
        if peer is not None:
            peer.monitored = monitored
            peer.answer_by = None
            self.watch(peer)
        return peer

    def failed(self, peer: Peer) -> None:
        """3.4.3: it is dead, as far as we can tell."""
        self.failures += 1
        self.monitor(peer.identifier, False)

    def remove(self, identifier: int) -> None:
        """3.5.2: remove a failed peer, or one that has retired."""
        self._peers.pop(identifier, None)
        self._timers.cancel((PEER, identifier))

    def refresh(self, now: float) -> None:
        """Our own loop stood still: nobody is late."""
        for peer in self._peers.values():
            peer.last_heard = max(peer.last_heard, now - self._profile.peer_heartbeat_cycle)
            if peer.answer_by is not None:
                peer.answer_by = now + self._profile.max_time_no_response

    def _hosts(self, peer: Peer) -> set[str]:
        """Where a peer may speak from while it has an association; none while it has not."""
        present = None if peer.association is None else self._associations.get(peer.association)
        if present is None:
            return set()
        return {*present.hosts, *(() if peer.address is None else peer.address.hosts)}


def usable_address(information: ServerInformation, source: str) -> TransportAddress | None:
    """Where a server can be reached that we heard of from C{source}: by loopback only if we reach the source so."""
    local = scope(source) == "loopback"
    addresses = information.transport.addresses[:MOST_ADDRESSES]
    hosts = tuple(host for host in addresses if local or scope(host) == "global")
    return TransportAddress(hosts, information.transport.port, information.encapsulation) if hosts else None


def knows_private(message: enrp.Message) -> bool:
    """Whether a message shows that its sender knows our private parameters."""
    match message:
        case enrp.Presence(private=said, information=information):
            return said or (information is not None and bool(information.encapsulation))
        case enrp.ListResponse(servers=servers):
            return any(server.encapsulation for server in servers)
        case enrp.HandleUpdate(element=element):
            return _has_private(element)
        case enrp.HandleTableResponse(entries=entries):
            return any(_has_private(each) for entry in entries for each in entry.elements)
    return False


def _has_private(element: PoolElementParameter) -> bool:
    return bool(element.encapsulation or element.framing or element.owner)


_BEFORE_IT_KNOWS: Final = (enrp.Presence, enrp.ListRequest, enrp.Error)
"""What a registrar says before it knows who we are."""
