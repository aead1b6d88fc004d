"""TCP ports that listen and connectors that dial, in memory, as a reactor hands them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionRefusedError, NotConnectingError, TimeoutError, UserError
from twisted.internet.interfaces import IConnector, IDelayedCall, IListeningPort
from twisted.internet.protocol import ClientFactory
from twisted.internet.protocol import Protocol as Nobody
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.testing.tcp import Address, TcpEnd, TcpHost, address_of

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ANY = ("", "0.0.0.0", "::")  # noqa: S104


class Owner(TcpHost, Protocol):
    """What ports and connectors want of the reactor that they belong to."""

    def enter(self, function: Callable[..., Any], *arguments: Any) -> None: ...

    def descriptor(self) -> int: ...

    def opened(self, port: MemoryPort, wanted: int) -> int: ...

    def closed(self, number: int) -> None: ...

    def local_port(self) -> int: ...

    def dials(self, host: str, port: int) -> None: ...

    def new_end(self, local: int, peer: Address, server: MemoryPort | None = None) -> TcpEnd: ...


@implementer(IListeningPort)
class MemoryPort:
    """A TCP port that listens."""

    def __init__(self, reactor: Owner, port: int, factory: Any, interface: str) -> None:
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
        """What counts up from port to port; -1 if it is closed."""
        return -1 if self._number is None else self._descriptor

    def accepts(self, host: str) -> bool:
        """Whether connections to this address of its host come to it."""
        return self.interface in (*_ANY, host)

    def accept(self, client: TcpEnd) -> bool:
        """A connection comes in; whether somebody takes it. A process that stands still takes it later."""
        assert self._number is not None
        end = self._reactor.new_end(self._number, client.getHost(), self)
        end.remote, client.remote = client, end
        waits = self._reactor.stalled
        self._reactor.enter(self._begin, end, waits)
        return waits or end.connected

    def _begin(self, end: TcpEnd, waited: bool) -> None:
        protocol = self.factory.buildProtocol(end.getPeer())
        if protocol is not None:
            end.begin(protocol)
        elif waited:
            end.begin(Nobody())
            end.abortConnection()
        else:
            end.forget()


@implementer(IConnector)
class MemoryConnector:
    """A connection that is opened, or open."""

    def __init__(self, reactor: Owner, host: str, port: int, factory: ClientFactory, timeout: float) -> None:
        self._reactor = reactor
        self._network = reactor.network
        self._named = host
        self._host = reactor.host if host in LOOPBACK else host
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
        self._reactor.dials(self._named, self._port)
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
        if target is None or any(network.tcp_stopped(*way) for way in ways):
            self._calls.append(reactor.callLater(network.syn_retry, self._syn))
            return
        there, back = (network.tcp_transit(a.stack, b.stack) for a, b in ((reactor, target), (target, reactor)))
        self._calls.append(network.clock.callLater(max(0.0, there - network.latency), self._arrive, target, back))

    def _arrive(self, target: Any, back: float) -> None:
        """The SYN is at the host."""
        if self.state != "connecting" or self._reactor.dead:
            return
        port = target.listening_on(self._port, self._host)
        if port is None:
            self._calls.append(self._reactor.callLater(back, self._fail, ConnectionRefusedError()))
            return
        end = self._reactor.new_end(self._reactor.local_port(), self.getDestination())
        if not port.accept(end):
            end.forget()
            self._calls.append(self._reactor.callLater(back, self._fail, ConnectionRefusedError()))
            return
        self._end = end
        self._calls.append(self._reactor.callLater(back, self._up, end))

    def _up(self, end: TcpEnd) -> None:
        self._cancel()
        self.state = "connected"
        end.lost = self.lost
        protocol: Any = self.factory.buildProtocol(end.getPeer())
        end.begin(protocol or Nobody())
        if protocol is None:
            end.loseConnection()

    def _fail(self, reason: Exception) -> None:
        self._cancel()
        self.state = "disconnected"
        end, self._end = self._end, None
        if end is not None:
            # The server has accepted already.
            end.begin(Nobody())
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
