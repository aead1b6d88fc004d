"""The peer list of a registrar: who the others are, how to reach them, whether they live (RFC 5353 section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rserpool.core.addresses import TransportAddress, machine, scope
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Connect, Effect, Send
from rserpool.core.profiles import Profile
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import ServerInformation

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
MOST_OF_A_MACHINE = 32
"""So many peers may be at one machine."""
MOST_DIALS = 256
"""So many addresses are dialled, or kept in mind to be, at the same time; what others name beyond that is ignored."""


class Peer:
    """What is known of one other registrar.

    @ivar association: over which we speak; None while there is none.
    @ivar address: where it can be reached.
    @ivar origin: the machine that it was first heard from.
    @ivar last_heard: RFC 5353 section 4.1: when anything came from it (monotonic seconds).
    @ivar answer_by: when a probe that is under way counts as failed, or None.
    @ivar monitored: False while its takeover is under way, ours or another's (3.5.1: "not active").
    """

    __slots__ = (
        "address", "answer_by", "association", "identifier", "information", "last_heard", "monitored", "origin",
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

    def learn(self, information: ServerInformation) -> None:
        """It told who and where it is."""
        self.information = information
        self.address = TransportAddress(
            information.transport.addresses, information.transport.port, information.encapsulation
        )


class _Dial:
    """One address that we want an association with."""

    __slots__ = ("again_at", "association", "kept", "pause", "under_way")

    def __init__(self, kept: bool, now: float) -> None:
        self.kept = kept
        self.association: Association | None = None
        self.under_way = False
        self.again_at: float | None = now
        self.pause = FIRST_PAUSE


class PeerList:
    """The peers, the associations with them, and the addresses to dial."""

    def __init__(self, profile: Profile, random: Dice) -> None:
        self._profile = profile
        self._random = random
        self._peers: dict[int, Peer] = {}
        self._associations: dict[Association, TransportAddress] = {}
        self._senders: dict[Association, int] = {}
        self._dials: dict[TransportAddress, _Dial] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._peers.values()))

    def __contains__(self, identifier: int) -> bool:
        return identifier in self._peers

    def get(self, identifier: int) -> Peer | None:
        """The peer of this identifier."""
        return self._peers.get(identifier)

    @property
    def dialling(self) -> bool:
        """Whether an address has neither answered nor refused yet."""
        return any(dial.under_way or dial.again_at is not None for dial in self._dials.values())

    @property
    def connected(self) -> tuple[int, ...]:
        """Identifiers of the peers with an association, in order."""
        return tuple(sorted(peer.identifier for peer in self._peers.values() if peer.association is not None))

    def to_all(self, message: enrp.Message | bytes) -> list[Effect]:
        """An announcement: a copy over the association to each peer (3.1)."""
        return [Send(peer.association, message) for peer in self._peers.values() if peer.association is not None]

    def to_removed(self, message: enrp.Message | bytes) -> list[Effect]:
        """A copy over each association that is up with a registrar that is no peer any more.

        Another registrar took it over where not all can reach all. It may live, and we may be no peer of its either.
        """
        removed = (a for a, sender in self._senders.items() if sender not in self._peers)
        return [Send(association, message) for association in removed]

    def to(self, identifier: int, message: enrp.Message) -> list[Effect]:
        """A message for one peer, if there is an association with it."""
        peer = self._peers.get(identifier)
        return [] if peer is None or peer.association is None else [Send(peer.association, message)]

    def configure(self, addresses: Sequence[TransportAddress], now: float) -> None:
        """Keep these addresses for ever, and dial them again with back-off."""
        self._dials.update((address, _Dial(True, now)) for address in addresses)

    def want(self, address: TransportAddress, now: float) -> None:
        """Dial an address that is not configured, soon and once."""
        dial = self._dials.get(address)
        if dial is None:
            if len(self._dials) < MOST_DIALS:
                self._dials[address] = _Dial(False, now)
        elif dial.association is None and not dial.under_way:
            dial.again_at = now

    def up(self, association: Association, address: TransportAddress, outbound: bool) -> bool:
        """An association with somebody is up; whether it is new: one that is dialled may have dialled us."""
        new = association not in self._associations
        self._associations[association] = address
        dial = self._dials.get(address) if outbound else None
        if dial is not None:
            dial.association, dial.under_way, dial.again_at = association, False, None
            dial.pause = FIRST_PAUSE
        return new

    def connect_failed(self, address: TransportAddress, now: float) -> list[Peer]:
        """An address could not be reached; returns the peers that were expected there and have no association."""
        dial = self._dials.get(address)
        if dial is not None:
            dial.under_way = False
            if dial.kept:
                dial.again_at = now + dial.pause * self._random.uniform(0.75, 1.25)
                dial.pause = min(dial.pause * 2, LONGEST_PAUSE)
            else:
                del self._dials[address]
        return [peer for peer in self._peers.values() if peer.address == address and peer.association is None]

    def lost(self, association: Association, now: float) -> Peer | None:
        """An association is gone; returns the peer that has none left."""
        address = self._associations.pop(association, None)
        dial = None if address is None else self._dials.get(address)
        if address is not None and dial is not None and dial.association == association:
            dial.association = None
            if dial.kept:
                dial.again_at = now
            else:
                del self._dials[address]
        peer = self._peers.get(self._senders.pop(association, 0))
        if peer is None or peer.association != association:
            return None
        peer.association = next((other for other, sender in self._senders.items() if sender == peer.identifier), None)
        return peer if peer.association is None else None

    def sender(self, association: Association) -> int | None:
        """The server that an association speaks for: the one that it spoke for first."""
        return self._senders.get(association)

    def believable(self, association: Association, sender: int) -> bool:
        """Whether this new association may speak for the server C{sender}.

        A peer that has an association with us speaks from one of its IP addresses, and at a machine there are
        L{MOST_OF_A_MACHINE} servers at most: so a stranger speaks for none that is there, and invents none without end.
        """
        place = self._associations.get(association)
        if place is None:
            return True
        peer = self._peers.get(sender)
        if peer is None:
            where = machine(place.hosts[0])
            return sum(where == each.origin for each in self._peers.values()) < MOST_OF_A_MACHINE
        present = None if peer.association is None else self._associations.get(peer.association)
        own = () if peer.address is None else peer.address.hosts
        return present is None or not {*present.hosts, *own}.isdisjoint(place.hosts)

    def heard(self, association: Association, sender: int, now: float) -> tuple[Peer, bool]:
        """A message came (3.4.1, 3.4.3).

        @return: its sender, and whether that is a new peer, or one that had no association.
        """
        peer = self._peers.get(sender)
        if peer is None:
            place = self._associations.get(association)
            peer = self._peers[sender] = Peer(sender, now, "" if place is None else machine(place.hosts[0]))
        self._senders[association] = sender
        if peer.address is None:
            peer.address = self._associations.get(association)
        peer.last_heard = now
        peer.answer_by = None
        if peer.association is None:
            peer.association = association
            return peer, True
        return peer, False

    def is_ourselves(self, association: Association) -> None:
        """We dialled ourselves: that address is not dialled any more."""
        address = self._associations.get(association)
        if address is not None:
            self._dials.pop(address, None)

    def remove(self, identifier: int) -> None:
        """3.5.2: remove a failed peer; a configured address stays."""
        self._peers.pop(identifier, None)

    def refresh(self, now: float) -> None:
        """Our own loop stood still: nobody is late."""
        for peer in self._peers.values():
            peer.last_heard = max(peer.last_heard, now - self._profile.peer_heartbeat_cycle)
            if peer.answer_by is not None:
                peer.answer_by = now + self._profile.max_time_no_response

    def tick(self, now: float) -> tuple[list[Effect], list[Peer], list[Peer]]:
        """Do what is due.

        @return: effects, the peers to probe now (3.4.3), and the peers that failed.
        """
        effects: list[Effect] = []
        for address, dial in self._dials.items():
            if dial.again_at is not None and now >= dial.again_at:
                dial.again_at, dial.under_way = None, True
                effects.append(Connect(address, "enrp"))
        probe: list[Peer] = []
        failed: list[Peer] = []
        for peer in self._peers.values():
            if not peer.monitored:
                continue
            if peer.answer_by is not None:
                if now >= peer.answer_by:
                    failed.append(peer)
            elif now >= peer.last_heard + self._profile.max_time_last_heard:
                probe.append(peer)
        return effects, probe, failed

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        deadlines = [dial.again_at for dial in self._dials.values() if dial.again_at is not None]
        for peer in self._peers.values():
            if peer.monitored:
                deadlines.append(
                    peer.last_heard + self._profile.max_time_last_heard if peer.answer_by is None else peer.answer_by
                )
        return min(deadlines, default=None)


def usable_address(information: ServerInformation, source: str) -> TransportAddress | None:
    """Where a server can be reached that we heard of from C{source}: by loopback only if we reach the source so."""
    local = scope(source) == "loopback"
    hosts = tuple(host for host in information.transport.addresses if local or scope(host) == "global")
    return TransportAddress(hosts, information.transport.port, information.encapsulation) if hosts else None
