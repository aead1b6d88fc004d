"""One SCTP port of a process in memory, and how associations are set up (RFC 9260 section 5)."""

from __future__ import annotations

from collections.abc import Callable
from errno import EISCONN
from typing import Any

from twisted.internet.error import ConnectError, ConnectionLost, TimeoutError
from zope.interface import implementer

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress, scope
from rserpool.sctp.base import tell
from rserpool.sctp.endpoint import SctpEndpoint
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpHandler
from rserpool.sctp.memory.association import MemoryAssociation, refused
from rserpool.sctp.memory.medium import Medium


class MemoryProcess:
    """A process, as the others see it.

    @ivar machine: what tells its host from others with the same loopback addresses.
    @ivar endpoints: by their SCTP ports.
    @ivar tell: what calls the handlers of its endpoints: a process that stands still may let them wait.
    """

    def __init__(self, network: Medium[Any], machine: str, hosts: tuple[str, ...], encapsulation_port: int) -> None:
        self.network = network
        self.machine = machine
        self.hosts = hosts
        self.encapsulation_port = encapsulation_port
        self.crashed = False
        self.tell: Callable[..., None] = tell
        self.endpoints: dict[int, MemoryEndpoint] = {}


@implementer(ISctpEndpoint)
class MemoryEndpoint(SctpEndpoint[MemoryAssociation]):
    """One SCTP port of a process."""

    def __init__(
        self, process: MemoryProcess, port: int, handler: ISctpHandler, hosts: tuple[str, ...], listening: bool
    ) -> None:
        super().__init__(process.network.clock, port, handler, hosts)
        self.process = process
        self.listening = listening
        self._network = process.network
        self._peers: dict[tuple[str, int, int], MemoryAssociation] = {}

    # What users call.

    def setHeartbeat(self, seconds: float) -> None:
        # The network's detection time stands for heartbeats.
        pass

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        # A process keeps the addresses that it began with.
        return False

    # What associations call.

    def tell(self, method: str, *arguments: object) -> None:
        if not self.process.crashed:
            self.process.tell(self._log, getattr(self.handler, method), *arguments)

    def gone(self, association: MemoryAssociation) -> None:
        for key in _keys(association.peer):
            if self._peers.get(key) is association:
                del self._peers[key]
        super().gone(association)

    # Set-up.

    def _outbound(self, peer: TransportAddress) -> MemoryAssociation:
        return MemoryAssociation(self, self._network, self.process, peer, outbound=True)

    def _dial(self, association: MemoryAssociation) -> Exception | None:
        if self._with(association.peer) is not None:
            return ConnectError(EISCONN, "there is an association with this peer")
        self._claim(association)
        deadline = self._network.clock.seconds() + self._network.setup_timeout
        association.next_step(self._network.latency, self._init, association, deadline)
        return None

    def _init(self, association: MemoryAssociation, deadline: float) -> None:
        """An INIT may have arrived."""
        network, here, peer = self._network, self.process, association.peer
        losses = network.losses
        nobody = held = False
        for host in peer.hosts:
            there, living = network.find(here.machine, host, peer.encapsulation or ENCAPSULATION_PORT)
            sources = self.reaching(host, there.machine if there else here.machine)
            if not sources:
                continue
            if there is None:
                nobody = nobody or living
            elif not network.stopped(here, there) and not network.stopped(there, here):
                if losses is not None and not losses.passes(3):
                    continue  # INIT, INIT ACK and COOKIE ECHO
                endpoint = there.endpoints.get(peer.port)
                if endpoint is None or host not in endpoint.hosts or not endpoint.take(self, association, sources):
                    association.next_step(network.transit(there, here), association.lose, refused())
                return
            else:
                held = held or not (network.broken(here, there) or network.broken(there, here))
        if nobody:
            association.next_step(network.latency, association.lose, refused())
        elif held or network.clock.seconds() < deadline:
            again = network.init_retry if losses is None else losses.profile.rto_max
            association.next_step(again, self._init, association, deadline)
        else:
            association.lose(TimeoutError("no answer to the set-up of the association"))

    def take(self, source: MemoryEndpoint, association: MemoryAssociation, sources: tuple[str, ...]) -> bool:
        """The INIT of C{association}, which C{source} opens, is here: whether we take it."""
        process = source.process
        peer = TransportAddress(sources, source.port, process.encapsulation_port)
        own = self._with(peer)
        if own is not None and own.joined:
            # They have forgotten what we still believe in: a restart (section 5.2.4).
            own.lose(ConnectionLost())
            own = None
        if own is None:
            if not self.listening:
                return False
            own = MemoryAssociation(self, self._network, self.process, peer, outbound=False)
            self._claim(own)
        elif own is association:
            return False
        # If both dialled at once, one association comes of it (section 5.2.1).
        association.join(own, sources, self.reaching(sources[0], process.machine))
        return True

    def reaching(self, host: str, machine: str) -> tuple[str, ...]:
        """Those of our addresses that a packet to C{host}, of that machine, can carry as its source."""
        loopback = scope(host) == "loopback"
        return tuple(
            own
            for own in self.hosts
            if (":" in own) == (":" in host)
            and ((scope(own) == "loopback") == loopback or machine == self.process.machine)
        )

    def _with(self, peer: TransportAddress) -> MemoryAssociation | None:
        """Our association with this peer: there is at most one (section 1.3)."""
        found = (self._peers.get(key) for key in _keys(peer))
        return next((each for each in found if each is not None and not each.lost), None)

    def _claim(self, association: MemoryAssociation) -> None:
        self._peers.update((key, association) for key in _keys(association.peer))

    # The end.

    def _accept_no_more(self) -> None:
        self.listening = False

    def abandon(self) -> None:
        """The process is dead: there is nothing left to shut down."""
        self._closing = True
        self.present.clear()

    def _close(self) -> None:
        self.listening = False
        if self.process.endpoints.get(self.port) is self:
            del self.process.endpoints[self.port]


def _keys(peer: TransportAddress) -> list[tuple[str, int, int]]:
    return [(host, peer.port, peer.encapsulation or ENCAPSULATION_PORT) for host in peer.hosts]
