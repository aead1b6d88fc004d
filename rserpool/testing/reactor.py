"""The reactor of one process of a scope: timers on the common clock, TCP in memory; both end with the process."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import (
    CannotListenError,
    ConnectionRefusedError,
    NotConnectingError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import IConnector, IDelayedCall, IListeningPort, IReactorTCP, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.sctp.memory import MemoryStack
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.tcp import Address, TcpEnd, address_of

_ANY = ("", "0.0.0.0", "::")  # noqa: S104
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@implementer(IReactorTime, IReactorTCP)
class HostReactor:
    """What services of one process take as their reactor.

    It has timers and TCP; SCTP is the process's L{stack}. There are no files, no threads and no UDP.

    @ivar host: the IP address of the process.
    @ivar stack: its SCTP.
    @ivar dead: whether the process was killed: then nothing is called any more.
    """

    def __init__(self, clock: Clock, network: ScopeNetwork, stack: MemoryStack, host: str) -> None:
        self.network = network
        self.stack = stack
        self.host = host
        self.dead = False
        self.running = True
        self._clock = clock
        self._ports: dict[int, MemoryPort] = {}
        self._ends: dict[TcpEnd, None] = {}
        self._ephemeral = count(49152)
        self._numbers = count(3)
        network.attach(self)

    # IReactorTime

    def seconds(self) -> float:
        """The time of the common clock."""
        return self._clock.seconds()

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> DelayedCall:  # noqa: A002
        """See C{IReactorTime.callLater}."""
        return self._clock.callLater(delay, self._call, callable, args, kw)  # type: ignore[return-value]

    def getDelayedCalls(self) -> list[DelayedCall]:
        """Those of all processes."""
        return list(self._clock.getDelayedCalls())  # type: ignore[arg-type]

    def callWhenRunning(self, callable: Any, *args: Any, **kw: Any) -> None:  # noqa: A002
        """It runs."""
        self.callLater(0, callable, *args, **kw)

    def callFromThread(self, callable: Any, *args: Any, **kw: Any) -> None:  # noqa: A002
        """There is one thread."""
        self.callLater(0, callable, *args, **kw)

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if not self.dead:
            function(*arguments, **keywords)

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

    def getReaders(self) -> list[Any]:
        """Ports that listen, and connections."""
        return [*self._ports.values(), *self._ends]

    def getWriters(self) -> list[Any]:
        """None of them waits for its descriptor."""
        return []

    # What the parts tell

    def die(self) -> None:
        """The process is killed."""
        self.dead = True
        self.running = False
        self._ports.clear()
        for end in list(self._ends):
            end.die()
        self._ends.clear()

    def listening_on(self, port: int, host: str) -> MemoryPort | None:
        """Who accepts connections to this port."""
        found = None if self.dead else self._ports.get(port)
        return found if found is not None and found.interface in (*_ANY, host) else None

    def opened(self, port: MemoryPort, wanted: int) -> int:
        """A port listens from now on; its number."""
        if port.interface not in (*_ANY, *_LOOPBACK, self.host):
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


@implementer(IListeningPort)
class MemoryPort:
    """A TCP port that listens."""

    def __init__(self, reactor: HostReactor, port: int, factory: Any, interface: str) -> None:
        self._reactor = reactor
        self._wanted = port
        self._number: int | None = None
        self._descriptor = reactor.descriptor()
        self.factory = factory
        self.interface = interface

    def startListening(self) -> None:
        """Listen.

        @raise CannotListenError: if the port is taken.
        """
        self._number = self._reactor.opened(self, self._wanted)
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Accept no more; connections stay."""
        if self._number is not None:
            self._reactor.closed(self._number)
            self._number = None
            self.factory.doStop()
        return succeed(None)

    def getHost(self) -> Address:
        """Where it listens."""
        return address_of(self.interface or "0.0.0.0", self._number or 0)  # noqa: S104

    def fileno(self) -> int:
        """What counts up from port to port."""
        return self._descriptor

    def accept(self, client: TcpEnd) -> TcpEnd | None:
        """A connection comes in; our end of it, unless the factory wants none."""
        assert self._number is not None
        protocol = self.factory.buildProtocol(client.getHost())
        if protocol is None:
            return None
        end = self._reactor.new_end(self._number, client.getHost(), self)
        end.remote, client.remote = client, end
        end.begin(protocol)
        return end


@implementer(IConnector)
class MemoryConnector:
    """A connection that is opened, or open."""

    def __init__(self, reactor: HostReactor, host: str, port: int, factory: ClientFactory, timeout: float) -> None:
        self._reactor = reactor
        self._network = reactor.network
        self._host = reactor.host if host in _LOOPBACK else host
        self._port = port
        self.factory = factory
        self._timeout = timeout
        self._calls: list[IDelayedCall] = []
        self._end: TcpEnd | None = None
        self.state = "disconnected"

    def connect(self) -> None:
        """Dial.

        @raise RuntimeError: if it is connected or connecting.
        """
        if self.state != "disconnected":
            raise RuntimeError("can't connect in this state")
        self.state = "connecting"
        self.factory.doStart()
        self.factory.startedConnecting(self)
        if self.state == "connecting":
            self._calls = [self._reactor.callLater(self._timeout, self._fail, TimeoutError())]
            self._calls.append(self._reactor.callLater(self._network.latency, self._syn))

    def stopConnecting(self) -> None:
        """Give up.

        @raise NotConnectingError: if it is not connecting.
        """
        if self.state != "connecting":
            raise NotConnectingError("we're not trying to connect")
        self._fail(UserError())

    def disconnect(self) -> None:
        """Close it, or give up opening it."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self._end is not None:
            self._end.loseConnection()

    def getDestination(self) -> Address:
        """Whom we dial."""
        return address_of(self._host, self._port)

    def _syn(self) -> None:
        reactor, network = self._reactor, self._network
        target = network.process_at(self._host)
        ways = () if target is None else ((reactor.stack, target.stack), (target.stack, reactor.stack))
        if target is None or any(network.stopped(*way) for way in ways):
            self._calls.append(reactor.callLater(network.syn_retry, self._syn))
            return
        there, back = (network.transit(a.stack, b.stack) for a, b in ((reactor, target), (target, reactor)))
        self._calls.append(network.clock.callLater(max(0.0, there - network.latency), self._arrive, target, back))

    def _arrive(self, target: HostReactor, back: float) -> None:
        """The SYN is at the host."""
        if self.state != "connecting" or self._reactor.dead:
            return
        port = target.listening_on(self._port, self._host)
        if port is None:
            self._calls.append(self._reactor.callLater(back, self._fail, ConnectionRefusedError()))
            return
        end = self._reactor.new_end(self._reactor.local_port(), self.getDestination())
        if port.accept(end) is None:
            self._reactor.connection_ended(end)
            self._calls.append(self._reactor.callLater(back, self._fail, ConnectionRefusedError()))
            return
        self._end = end
        self._calls.append(self._reactor.callLater(back, self._up, end))

    def _up(self, end: TcpEnd) -> None:
        self._cancel()
        self.state = "connected"
        end.lost = self.lost
        protocol: Any = self.factory.buildProtocol(end.getPeer())
        end.begin(protocol or Protocol())
        if protocol is None:
            end.loseConnection()

    def _fail(self, reason: Exception) -> None:
        self._cancel()
        self.state = "disconnected"
        end, self._end = self._end, None
        if end is not None:
            # The server has accepted already.
            end.begin(Protocol())
            end.abortConnection()
        self.factory.clientConnectionFailed(self, Failure(reason))
        if self.state == "disconnected":
            self.factory.doStop()

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        self.state = "disconnected"
        self._end = None
        self.factory.clientConnectionLost(self, reason)
        if self.state == "disconnected":
            self.factory.doStop()

    def _cancel(self) -> None:
        for call in self._calls:
            if call.active():
                call.cancel()
        self._calls.clear()
