"""The processes of a simulated cluster: the product's own roles and Nodes, each on its own stack and clock."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from rserpool.core import PolicyParameter, Profile, SctpTransport, TcpTransport, TransportAddress
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT
from rserpool.core.element import PoolElement, events
from rserpool.core.policies import parse
from rserpool.core.registrar import Registrar
from rserpool.core.user import ResolutionFailed, pool_user
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, ServerInformation
from rserpool.node.node import Node, NodeChannel
from rserpool.sctp.base import PPID_ENRP, SctpHandler
from rserpool.sctp.memory import MemoryStack
from rserpool.user import PoolChanged, Resolved
from tests.simulation.clock import ProcessClock

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster


class Door(SctpHandler):
    """Where the network meets a process: writes down what comes in, and lets it wait while the loop stands still."""

    def __init__(self, process: Process, channel: NodeChannel) -> None:
        self._process = process
        self._channel = channel

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        process = self._process
        cluster = process.cluster
        source = cluster.names.get(association.peer.hosts[0], "?")
        cluster.trace.message(cluster.timeline.rightNow, source, process.name, data, ppid)
        process.clock.enter(self._channel.messageReceived, association, data, ppid, stream, unordered)

    def associationUp(self, association: Any) -> None:
        self._process.clock.enter(self._channel.associationUp, association)

    def associationLost(self, association: Any, reason: Any) -> None:
        self._process.clock.enter(self._channel.associationLost, association, reason)

    def associationPaused(self, association: Any) -> None:
        self._process.clock.enter(self._channel.associationPaused, association)

    def associationResumed(self, association: Any) -> None:
        self._process.clock.enter(self._channel.associationResumed, association)


class Process:
    """One process on a host of its own.

    @ivar name: C{r1}, C{e1} or C{u1} and so on.
    @ivar born: when it was started, on the network's clock.
    @ivar died: when it was killed; None while it lives.
    """

    node: Node

    def __init__(self, cluster: Cluster, name: str, host: str, incarnation: int) -> None:
        self.cluster = cluster
        self.name = name
        self.host = host
        self.incarnation = incarnation
        self.random = Random(f"{cluster.seed}/{name}/{incarnation}")
        self.clock = ProcessClock(cluster.timeline, self.random.uniform(0.0, 10_000.0))
        self.stack: MemoryStack = cluster.network.stack(host, registrar=name.startswith("r"))
        self.born = cluster.timeline.rightNow
        self.died: float | None = None
        cluster.names[host] = name

    @property
    def alive(self) -> bool:
        """Whether it was not killed."""
        return self.died is None

    def perform(self, effects: Any) -> None:
        """Have the node do this."""
        self.node.perform(effects)

    def kill(self) -> None:
        """It is no more; its host answers for it by ICMP."""
        self.died = self.cluster.timeline.rightNow
        self.clock.die()
        self.node.stop()
        self.cluster.network.crash(self.stack)

    def tell(self, event: Any) -> None:
        """An event of the role, for the trace."""
        self.cluster.trace.event(self.cluster.timeline.rightNow, self.name, event)


class RegistrarProcess(Process):
    """A registrar."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        host: str,
        incarnation: int,
        identifier: int,
        peers: tuple[TransportAddress, ...],
        profile: Profile,
        announce: bool = False,
    ) -> None:
        super().__init__(cluster, name, host, incarnation)
        self.identifier = identifier
        self.role = Registrar(identifier, profile=profile, random=self.random)
        self.node = Node(self.clock, self.role, self.tell, server=identifier)
        self.node.asap.sctp = self.stack.open(ASAP_PORT, Door(self, self.node.asap), (host,), True)
        channel = self.node.open_channel("enrp", self.role.enrp, enrp, PPID_ENRP)
        channel.sctp = self.stack.open(ENRP_PORT, Door(self, channel), (host,), True)
        information = ServerInformation(identifier, SctpTransport(ENRP_PORT, DATA_ONLY, (host,)))
        self.tell(f"starts as 0x{identifier:x}")
        self.perform(self.role.enrp.join(information, peers, self.node.now()))
        if announce:
            self.node.asap.multicast = lambda data: cluster.multicast(self, data)
            transports = (SctpTransport(ASAP_PORT, DATA_PLUS_CONTROL, (host,)),)
            self.perform(self.role.announce(transports, 0, self.node.now()))

    @property
    def ready(self) -> bool:
        """Whether it offers its services."""
        return self.alive and self.role.peering.ready


class ElementProcess(Process):
    """A pool element in one pool."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        host: str,
        incarnation: int,
        registrars: tuple[TransportAddress, ...],
        profile: Profile,
    ) -> None:
        super().__init__(cluster, name, host, incarnation)
        self.role = PoolElement(registrars, profile=profile, random=self.random)
        self.node = Node(self.clock, self.role, self._notified)
        self.node.asap.sctp = self.stack.open(0, Door(self, self.node.asap), (host,), True)
        self.handle = b""
        self.policy = PolicyParameter(1)
        self.life: int | None = None
        self.left: float | None = None
        self.refused: int | None = None

    def serve(self, handle: bytes, policy: str, identifier: int | None = None, life: int | None = None) -> None:
        """Join a pool."""
        parsed = parse(policy)
        self.handle, self.life, self.left, self.refused = handle, life, None, None
        self.policy = PolicyParameter(parsed.policy.number, parsed.data)
        transport = TcpTransport(80, self.host)
        self.tell(f"serves in {handle.decode()} with {policy}")
        self.perform(self.role.serve(handle, transport, self.policy, self.node.now(), identifier=identifier, life=life))

    def change(self, policy: str) -> None:
        """Register again with other values."""
        parsed = parse(policy)
        self.policy = PolicyParameter(parsed.policy.number, parsed.data)
        self.tell(f"changes to {policy}")
        self.perform(self.role.change(self.handle, self.node.now(), policy=self.policy))

    def leave(self) -> None:
        """Deregister."""
        self.left = self.cluster.timeline.rightNow
        self.tell("leaves")
        self.perform(self.role.leave(self.handle, self.node.now()))

    @property
    def serving(self) -> bool:
        """Whether it lives and wants to be in its pool."""
        return self.alive and bool(self.handle) and self.left is None

    @property
    def identifier(self) -> int:
        """Its PE identifier."""
        return self.role.identifier(self.handle)

    def _notified(self, event: Any) -> None:
        if isinstance(event, events.RegistrationRefused):
            self.refused = event.cause
        elif isinstance(event, events.Registered):
            self.refused = None
        self.tell(event)


class UserProcess(Process):
    """A pool user that resolves again and again.

    @ivar answers: when each pool was resolved last, and to what.
    @ivar shown: what subscriptions said last.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        host: str,
        incarnation: int,
        registrars: tuple[TransportAddress, ...],
        profile: Profile,
    ) -> None:
        super().__init__(cluster, name, host, incarnation)
        self.role = pool_user.PoolUser(registrars, profile=profile, random=self.random)
        self.node = Node(self.clock, self.role, self._notified)
        self.node.asap.sctp = self.stack.open(0, Door(self, self.node.asap), (host,), False)
        self.profile = profile
        self.answers: dict[bytes, tuple[float, Resolved]] = {}
        self.failures: list[tuple[float, float, ResolutionFailed]] = []
        self.shown: dict[bytes, PoolChanged] = {}
        self.asked: dict[Any, tuple[float, bool]] = {}
        self.subscribed: dict[bytes, None] = {}
        self.outcomes: dict[Any, Any] = {}
        self._request = 0

    @property
    def patience(self) -> float:
        """Seconds that a request may take."""
        return max(5.0, (self.profile.max_request_retransmit + 1) * self.profile.t1_enrp_request)

    def resolve(self, handle: bytes, fresh: bool = False) -> int:
        """Ask; the outcome will be in C{outcomes}."""
        self._request += 1
        request = self._request
        now = self.node.now()
        self.asked[request] = (self.cluster.timeline.rightNow, fresh)
        self.tell(f"asks for {handle.decode()}{' afresh' if fresh else ''}")
        self.perform(self.role.resolve(request, handle, now, deadline=now + self.patience, fresh=fresh))
        return request

    def subscribe(self, handle: bytes) -> None:
        """Watch a pool."""
        self.subscribed[handle] = None
        self.perform(self.role.subscribe(handle, self.node.now()))

    def _notified(self, event: Any) -> None:
        now = self.cluster.timeline.rightNow
        match event:
            case Resolved(request=request, handle=handle):
                self.answers[handle] = (now, event)
                self.outcomes[request] = event
                del self.asked[request]
            case ResolutionFailed(request=request):
                self.outcomes[request] = event
                since, fresh = self.asked.pop(request)
                if not fresh:
                    self.failures.append((since, now, event))
            case PoolChanged(handle=handle):
                self.shown[handle] = event
        self.tell(event)
