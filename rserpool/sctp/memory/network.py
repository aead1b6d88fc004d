"""SCTP in memory, for tests and simulations: a network of stacks on one clock, with SCTP's faults.

Several stacks with the same address stand for several processes of one host; their UDP ports tell them apart
(RFC 6951). Everything happens in calls of the clock, in an order that depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from errno import EISCONN
from itertools import count
from random import Random

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress, scope
from rserpool.sctp.base import REGISTRAR_ENCAPSULATION_PORTS, tell
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpHandler, ISctpStack
from rserpool.sctp.memory.association import MemoryAssociation
from rserpool.sctp.memory.faults import Faults


class Network(Faults["MemoryStack"]):
    """Hosts that reach each other, and the faults between them. All times are in seconds.

    @ivar jitter: up to so much is added to each transit, at random.
    @ivar icmp_delay: from the crash of a process to the moment when its peers know (its host answers with ICMP).
    @ivar detection: how long a path may be broken until both ends give up the association.
    @ivar setup_timeout: how long a set-up is tried.
    @ivar init_retry: time between two attempts of a set-up that gets no answer.
    @ivar window: bytes on the way of an association, in each direction; more wait at the sender.
    """

    def __init__(self, clock: IReactorTime, seed: int = 0) -> None:
        super().__init__()
        self.clock = clock
        self.random = Random(seed)
        self.jitter = 0.0
        self.icmp_delay = 0.02
        self.detection = 2.0
        self.setup_timeout = 2.0
        self.init_retry = 0.1
        self.window = 128 * 1024
        self._bound: dict[tuple[str, str, int], MemoryStack] = {}
        self._living: set[tuple[str, str]] = set()
        self._ephemeral = count(49152)

    def stack(self, *hosts: str, encapsulation: int | None = None, registrar: bool = False) -> MemoryStack:
        """Start a process with these IP addresses; its first one that is not a loopback address names its host.

        @param encapsulation: its UDP port; C{None} takes the first free one of a registrar, or an ephemeral one.
        @raise CannotListenError: if the UDP port is taken.
        """
        hosts = hosts or ("127.0.0.1",)
        machine = next((host for host in hosts if scope(host) != "loopback"), "")
        candidates = REGISTRAR_ENCAPSULATION_PORTS if registrar else (next(self._ephemeral),)
        for port in candidates if encapsulation is None else (encapsulation,):
            places = [self._place(machine, host) for host in hosts]
            if not any((*place, port) in self._bound for place in places):
                stack = MemoryStack(self, machine, hosts, port)
                self._bound.update(((*place, port), stack) for place in places)
                self._living.update(places)
                return stack
        raise CannotListenError(hosts[0], port, OSError("UDP port taken"))

    def crash(self, stack: MemoryStack) -> None:
        """Kill the process; its handlers hear nothing more. What it had put on the way still arrives."""
        stack.crashed = True
        for association in stack.all_associations():
            association.die()
        for endpoint in stack.endpoints.values():
            endpoint.abandon()
        self.unbind(stack)

    def unbind(self, stack: MemoryStack) -> None:
        """Its UDP ports are free."""
        for host in stack.hosts:
            self._bound.pop((*self._place(stack.machine, host), stack.encapsulation_port), None)
        self.forget(stack)

    def changed(self, members: Collection[MemoryStack]) -> None:
        for stack in members:
            for association in stack.all_associations():
                for end in association.both_ends():
                    end.review()

    def transit(self, a: MemoryStack, b: MemoryStack) -> float:
        seconds = super().transit(a, b)
        return seconds + self.random.uniform(0.0, self.jitter) if self.jitter else seconds

    def undisturbed(self, a: MemoryStack, b: MemoryStack) -> float:
        """Seconds from C{a} to C{b} without jitter."""
        return super().transit(a, b)

    def find(self, source: MemoryStack, host: str, port: int) -> tuple[MemoryStack | None, bool]:
        """Who owns this UDP port of this address as C{source} sees it, and whether the address has a living host."""
        place = self._place(source.machine, host)
        return self._bound.get((*place, port)), place in self._living

    @staticmethod
    def _place(machine: str, host: str) -> tuple[str, str]:
        return (machine if scope(host) == "loopback" else "", host)


@implementer(ISctpStack)
class MemoryStack:
    """One process of a L{Network}.

    @ivar tell: what calls the handlers of its endpoints: a process that stands still may let them wait.
    """

    name = "memory"

    def __init__(self, network: Network, machine: str, hosts: tuple[str, ...], encapsulation_port: int) -> None:
        self.network = network
        self.machine = machine
        self.hosts = hosts
        self.encapsulation_port = encapsulation_port
        self.crashed = False
        self.tell: Callable[..., None] = tell
        self.endpoints: dict[int, MemoryEndpoint] = {}
        self._ephemeral = count(32768)

    def __repr__(self) -> str:
        return f"<MemoryStack {','.join(self.hosts)}/{self.encapsulation_port}>"

    def open(
        self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True
    ) -> MemoryEndpoint:
        """See L{ISctpStack.open}; no hosts, C{0.0.0.0} and C{::} mean all addresses (of the family)."""
        own: list[str] = []
        for host in hosts or self.hosts:
            if host in ("0.0.0.0", "::"):
                own += [each for each in self.hosts if (":" in each) == (":" in host)]
            elif host in self.hosts:
                own.append(host)
            else:
                raise CannotListenError(host, port, OSError("not an address of this host"))
        port = port or next(number for number in self._ephemeral if number not in self.endpoints)
        if self.crashed or port in self.endpoints:
            raise CannotListenError(own[0], port, OSError("SCTP port taken"))
        self.endpoints[port] = endpoint = MemoryEndpoint(self, port, handler, tuple(dict.fromkeys(own)), listening)
        return endpoint

    def close(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        for endpoint in list(self.endpoints.values()):
            endpoint.abort()
        self.network.unbind(self)
        # After the calls that abort() scheduled for the same instant.
        self.network.clock.callLater(0, done.callback, None)
        return done

    def all_associations(self) -> list[MemoryAssociation]:
        """The present associations of all endpoints."""
        return [association for endpoint in self.endpoints.values() for association in endpoint.present]


@implementer(ISctpEndpoint)
class MemoryEndpoint:
    """One SCTP port of a L{MemoryStack}."""

    log = Logger()

    def __init__(
        self, stack: MemoryStack, port: int, handler: ISctpHandler, hosts: tuple[str, ...], listening: bool
    ) -> None:
        self.stack = stack
        self.port = port
        self.handler = handler
        self.hosts = hosts
        self.listening = listening
        self.heartbeat = 0.0
        self.present: dict[MemoryAssociation, None] = {}
        self._peers: dict[tuple[str, int, int], MemoryAssociation] = {}
        self._closed = False
        self._stopping: list[Deferred[None]] = []

    @property
    def associations(self) -> int:
        return len(self.present)

    def connect(self, peer: TransportAddress) -> MemoryAssociation:
        known = self.find(peer)
        association = MemoryAssociation(self, peer, outbound=True)
        if self._closed:
            association.abort()
        elif known is not None:
            association.fail_later(ConnectError(EISCONN, "there is an association with this peer"))
        else:
            self.claim(association)
            association.initiate()
        return association

    def setHeartbeat(self, seconds: float) -> None:
        # The network's detection time stands for heartbeats.
        self.heartbeat = seconds

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        # A process keeps the addresses that it began with.
        return False

    def stopListening(self) -> Deferred[None]:
        self.listening = False
        self._closed = True
        for association in list(self.present):
            if association.established:
                association.close()
            else:
                association.abort()
        if not self.present:
            self._free()
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._stopping.append(done)
        return done

    def abort(self) -> None:
        self.listening = False
        self._closed = True
        for association in list(self.present):
            association.abort()
        self._free()

    def reaching(self, host: str, machine: str) -> tuple[str, ...]:
        """Those of our addresses that a packet to C{host}, of that machine, can carry as its source."""
        loopback = scope(host) == "loopback"
        return tuple(
            own
            for own in self.hosts
            if (":" in own) == (":" in host)
            and ((scope(own) == "loopback") == loopback or machine == self.stack.machine)
        )

    def find(self, peer: TransportAddress) -> MemoryAssociation | None:
        """Our association with this peer: there is at most one (RFC 9260 section 1.3)."""
        return next((self._peers[key] for key in _keys(peer) if key in self._peers), None)

    def claim(self, association: MemoryAssociation) -> None:
        """It is the one with its peer."""
        self._peers.update((key, association) for key in _keys(association.peer))

    def release(self, association: MemoryAssociation) -> None:
        """There may be another with its peer."""
        for key in _keys(association.peer):
            if self._peers.get(key) is association:
                del self._peers[key]

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler, unless the process is dead."""
        if not self.stack.crashed:
            self.stack.tell(self.log, getattr(self.handler, method), *arguments)

    def remove(self, association: MemoryAssociation) -> None:
        """The handler has been told that the association is gone."""
        self.present.pop(association, None)
        if self._closed and not self.present:
            self._free()

    def abandon(self) -> None:
        """The process is dead: there is nothing left to shut down."""
        self._closed = True
        self.present.clear()

    def _free(self) -> None:
        if self.stack.endpoints.get(self.port) is self:
            del self.stack.endpoints[self.port]
        stopping, self._stopping = self._stopping, []
        for done in stopping:
            done.callback(None)


def _keys(peer: TransportAddress) -> list[tuple[str, int, int]]:
    return [(host, peer.port, peer.encapsulation or ENCAPSULATION_PORT) for host in peer.hosts]
