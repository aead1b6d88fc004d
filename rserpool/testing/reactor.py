"""The reactor of one process of a scope: timers, TCP, multicast and names in memory; all end with the process."""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IReactorSSL,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.task import Clock
from zope.interface import implementer

from rserpool.sctp.memory import MemoryStack
from rserpool.testing.loop import Loop
from rserpool.testing.multicast import MemoryMulticast
from rserpool.testing.names import Names
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.ports import LOOPBACK, MemoryConnector, MemoryPort
from rserpool.testing.tcp import Address, TcpEnd, address_of
from rserpool.testing.trace import Dialled, Trace


@implementer(IReactorTime, IReactorTCP, IReactorSSL, IReactorPluggableNameResolver)
class HostReactor(Loop):
    """What services of one process take as their reactor.

    It has timers, TCP, multicast groups and the names of the scope's processes; SCTP is the process's L{stack}. There
    are no files, no threads and no other UDP.

    @ivar host: the IP address of the process.
    @ivar stack: its SCTP.
    @ivar name: what its scope calls it.
    @ivar trace: where its attempts to connect are noted.
    @ivar lends: what services and endpoints take that are told nothing else: see
        L{rserpool.node.candidates.lent_by}.
    """

    def __init__(
        self,
        clock: Clock,
        network: ScopeNetwork,
        stack: MemoryStack,
        host: str,
        *,
        name: str = "",
        trace: Trace | None = None,
        ahead: float = 0.0,
    ) -> None:
        super().__init__(clock, ahead)
        self.network = network
        self.stack = stack
        self.host = host
        self.name = name or host
        self.trace = trace or Trace()
        self.running = True
        self.lends: dict[str, Any] = {}
        self.nameResolver: IHostnameResolver = Names(network)
        self._ports: dict[int, MemoryPort] = {}
        self._ends: dict[TcpEnd, None] = {}
        self._ephemeral = count(49152)
        self._numbers = count(3)
        network.attach(self)

    def callWhenRunning(self, callable: Any, *args: Any, **kw: Any) -> None:  # noqa: A002
        """It runs."""
        self.callLater(0, callable, *args, **kw)

    def callFromThread(self, callable: Any, *args: Any, **kw: Any) -> None:  # noqa: A002
        """There is one thread."""
        self.callLater(0, callable, *args, **kw)

    # IReactorPluggableNameResolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """See C{IReactorPluggableNameResolver.installNameResolver}."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    # IReactorMulticast, as far as announcements need it

    def listenMulticast(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192, listenMultiple: bool = False
    ) -> MemoryMulticast:
        """See C{IReactorMulticast.listenMulticast}; IPv4 groups alone."""
        listening = MemoryMulticast(self, port, protocol)
        listening.startListening()
        return listening

    # IReactorTCP

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> MemoryPort:
        """See C{IReactorTCP.listenTCP}.

        @raise CannotListenError: if the port is taken, or the interface is not one of this host.
        """
        listening = MemoryPort(self, port, factory, interface)
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> MemoryConnector:
        """See C{IReactorTCP.connectTCP}; the host is named by its IP address."""
        connector = MemoryConnector(self, host, port, factory, timeout)
        connector.connect()
        return connector

    # IReactorSSL

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> MemoryPort:
        """See C{IReactorSSL.listenSSL}, and L{listenTCP}."""
        from twisted.protocols.tls import TLSMemoryBIOFactory

        clock: Any = self
        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory, clock), backlog, interface)

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> MemoryConnector:
        """See C{IReactorSSL.connectSSL}, and L{connectTCP}."""
        from twisted.protocols.tls import TLSMemoryBIOFactory

        clock: Any = self
        tls = TLSMemoryBIOFactory(contextFactory, True, factory, clock)
        return self.connectTCP(host, port, tls, timeout, bindAddress)

    def getReaders(self) -> list[Any]:
        """Ports that listen, and connections."""
        return [*self._ports.values(), *self._ends]

    def getWriters(self) -> list[Any]:
        """None of them waits for its descriptor."""
        return []

    # What the parts tell

    def dials(self, host: str, port: int) -> None:
        """An attempt to connect."""
        self.trace.event(self.clock.rightNow, self.name, Dialled(host, port))

    def die(self) -> None:
        """The process is killed."""
        super().die()
        self.running = False
        self._ports.clear()
        for end in list(self._ends):
            end.die()
        self._ends.clear()

    def listening_on(self, port: int, host: str) -> MemoryPort | None:
        """Who accepts connections to this port."""
        found = None if self.dead else self._ports.get(port)
        return found if found is not None and found.accepts(host) else None

    def opened(self, port: MemoryPort, wanted: int) -> int:
        """A port listens from now on; its number."""
        if port.interface not in LOOPBACK and not port.accepts(self.host):
            raise CannotListenError(port.interface, wanted, OSError("not an address of this host"))
        number = wanted or next(each for each in self._ephemeral if each not in self._ports)
        if self.dead or number in self._ports:
            raise CannotListenError(port.interface, number, OSError("TCP port taken"))
        self._ports[number] = port
        return number

    def closed(self, number: int) -> None:
        """It listens no more."""
        self._ports.pop(number, None)

    def descriptor(self) -> int:
        """A number that counts up, as those of files do."""
        return next(self._numbers)

    def new_end(self, local: int, peer: Address, server: MemoryPort | None = None) -> TcpEnd:
        """Our end of a connection."""
        end = TcpEnd(self, address_of(self.host, local), peer, server)
        self._ends[end] = None
        return end

    def local_port(self) -> int:
        """A port for a client."""
        return next(self._ephemeral)

    def connection_ended(self, end: TcpEnd) -> None:
        """A connection is gone."""
        self._ends.pop(end, None)
