"""A small world in memory: registrars, elements and a pool user on one clock; TCP by hand."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionRefusedError
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core import PolicyParameter, TcpTransport, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.policies import parse
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Registrar
from rserpool.core.wire.parameters import UserTransport
from rserpool.node.node import Node
from rserpool.sctp.memory import Network
from rserpool.testing import Time
from rserpool.user import PoolUserService


@implementer(IHostResolution)
class Resolution:
    """Of one name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """It is done already."""


@implementer(IHostnameResolver)
class ThisHost:
    """Every name is that of this host."""

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.addressResolved(IPv4Address("TCP", "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


# Twisted's own has none in the oldest release that we support.
@implementer(IReactorPluggableNameResolver)
class Reactor(MemoryReactorClock):
    """Connections over TCP go to servers that a test puts up: C{accepting}, C{refusing} (all others) or C{silent}."""

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver: Any = ThisHost()
        self.accepting: set[tuple[str, int]] = set()
        self.silent: set[tuple[str, int]] = set()
        self.attempts: list[tuple[str, int]] = []
        self.transports: list[Transport] = []

    def installNameResolver(self, resolver: Any) -> Any:
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def connectTCP(  # type: ignore[override]
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Any:
        connector = super().connectTCP(host, port, factory, timeout, bindAddress)
        self.attempts.append((host, port))
        address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)

        def answer() -> None:
            if connector.stoppedConnecting or (host, port) in self.silent:
                return
            if (host, port) not in self.accepting:
                factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
                return
            protocol = factory.buildProtocol(address)
            if protocol is None:
                return
            transport = Transport(protocol, address)
            self.transports.append(transport)
            protocol.makeConnection(transport)

        self.callLater(0.001, answer)
        return connector


class Transport(StringTransport):
    """The client's end of a TCP connection."""

    def __init__(self, protocol: Any, peer: Any) -> None:
        super().__init__(peerAddress=peer)
        self.protocol = protocol
        self.aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.lose(ConnectionAborted())

    def lose(self, reason: Exception) -> None:
        """The connection is gone."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(reason))


class Member:
    """A pool element with an ASAP stack of its own."""

    def __init__(self, world: World, number: int, transport: UserTransport) -> None:
        self.stack = world.network.stack(world.host(1, number))
        self.identifier = number
        self.transport = transport
        role = PoolElement(world.addresses, profile=DEFAULT, random=Random(number))
        self.role = role
        self.node = Node(world.reactor, role, lambda event: None)
        self.node.asap.sctp = self.stack.open(0, self.node.asap)

    def serve(self, pool: bytes, policy: str = "round-robin") -> None:
        """Register."""
        parsed = parse(policy)
        parameter = PolicyParameter(parsed.policy.number, parsed.data)
        self.node.perform(self.role.serve(pool, self.transport, parameter, self.node.now(), identifier=self.identifier))

    def leave(self, pool: bytes) -> None:
        """Deregister."""
        self.node.perform(self.role.leave(pool, self.node.now()))


class World(Time):
    """Hosts 10.0.0.N have registrars, hosts 10.0.1.N elements that serve at TCP port 8000 + N, 10.0.2.1 the user."""

    def __init__(self, registrars: int = 1, ipv6: bool = False, **options: Any) -> None:
        self.ipv6 = ipv6
        self.clock = self.reactor = Reactor()
        self.network = Network(self.reactor)
        self.addresses = [TransportAddress((self.host(0, n + 1),), 3863) for n in range(registrars)]
        self.stacks: dict[int, Any] = {}
        self.registrars: dict[int, Registrar] = {}
        for n in range(registrars):
            self.start_registrar(n + 1)
        self.members: dict[int, Member] = {}
        self.user_stack = self.network.stack(self.host(2, 1))
        options.setdefault("stack", self.user_stack)
        options.setdefault("random", Random(3))
        self.user = PoolUserService(self.reactor, self.addresses, **options)

    def host(self, net: int, number: int) -> str:
        """An IP address."""
        return f"fd00:{net}::{number}" if self.ipv6 else f"10.0.{net}.{number}"

    def start_registrar(self, number: int) -> None:
        """A registrar begins, with an empty handlespace."""
        stack = self.stacks[number] = self.network.stack(self.host(0, number), registrar=True)
        role = self.registrars[number] = Registrar(number, profile=DEFAULT, random=Random(number))
        node = Node(self.reactor, role, lambda event: None)
        node.asap.sctp = stack.open(3863, node.asap)

    def crash_registrar(self, number: int) -> None:
        """A registrar is killed."""
        self.network.crash(self.stacks[number])

    def member(self, number: int, pool: bytes = b"pool", policy: str = "round-robin", **options: Any) -> Member:
        """An element that registers, and accepts connections."""
        host, port = self.host(1, number), 8000 + number
        transport = options.pop("transport", TcpTransport(port, host))
        member = self.members[number] = Member(self, number, transport)
        member.serve(pool, policy)
        self.reactor.accepting.add((host, port))
        self.run(0.3)
        return member

    def kill(self, number: int) -> None:
        """An element is killed: its port refuses, its associations are gone."""
        self.reactor.accepting.discard((self.host(1, number), 8000 + number))
        self.network.crash(self.members[number].stack)

    def freeze(self, number: int) -> None:
        """An element's process hangs: its port accepts, its ASAP says nothing."""
        self.network.silence(self.members[number].stack)

    def run(self, seconds: float) -> None:
        """Let the clock run from call to call."""
        self.advance(seconds)
