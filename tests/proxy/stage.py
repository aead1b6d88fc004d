"""A proxy between real sockets on the loopback interface, beside a real registrar; SCTP in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core import TcpTransport
from rserpool.proxy import ProxyService
from rserpool.proxy.listening import server_endpoint
from tests.names.loopback import HOST, LoopbackCase, network_reactor

BIG = 32 << 20


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """A client or an element that notes everything, and is waited for."""

    transport: Any

    def __init__(self, made: Any = None) -> None:
        self._made = made
        self.received = bytearray()
        self.half_closed = False
        self.lost: Failure | None = None
        self._awaited: list[tuple[Any, Deferred[None]]] = []

    def until(self, condition: Any) -> Deferred[None]:
        """Fires when something is so."""
        awaited: Deferred[None] = Deferred()
        self._awaited.append((condition, awaited))
        self._look()
        return awaited

    def gets(self, data: bytes) -> Deferred[None]:
        """Fires when just this has come."""
        return self.until(lambda: self.received == data)

    def ends(self) -> Deferred[None]:
        """Fires when the connection is lost."""
        return self.until(lambda: self.lost is not None)

    def _look(self) -> None:
        for condition, awaited in list(self._awaited):
            if condition():
                self._awaited.remove((condition, awaited))
                awaited.callback(None)

    def connectionMade(self) -> None:
        if self._made is not None:
            self._made(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._look()

    def readConnectionLost(self) -> None:
        self.half_closed = True
        self._look()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason
        self._look()


class Resetting(Protocol):
    """Accepts, and resets."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class Closing(Protocol):
    """Accepts, and closes without a word."""

    def connectionMade(self) -> None:
        self.transport.loseConnection()


@implementer(IPushProducer)
class Producer:
    """Writes so much that no socket takes it all.

    @ivar full: fires when the transport takes no more.
    """

    def __init__(self, transport: Any) -> None:
        self.full: Deferred[None] = Deferred()
        self.sent = 0
        self._transport = transport
        self._pausing = False
        transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._pausing = False
        while self.sent < BIG and not self._pausing:
            self.sent += 1 << 16
            self._transport.write(bytes(1 << 16))
        if self.sent == BIG:
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self._pausing = True
        if not self.full.called:
            self.full.callback(None)

    def stopProducing(self) -> None:
        """The connection is lost."""


class ProxyCase(LoopbackCase):
    """A proxy with clients on one side and elements on the other."""

    def setUp(self) -> None:
        super().setUp()
        self.served: list[Peer] = []
        self._came: list[Deferred[Peer]] = []
        self.user = self.new_user()

    async def proxy(self, *listen: str, **options: Any) -> ProxyService:
        """A proxy that listens."""
        endpoints = [server_endpoint(reactor, text) for text in listen or ("0",)]
        proxy = ProxyService(self.user, "pool", endpoints, **{"timeout": 5.0, "grace": 5.0, **options})
        proxy.startService()
        await proxy.listening
        self.addCleanup(self._stop, proxy)
        return proxy

    async def _stop(self, proxy: ProxyService) -> None:
        proxy.hurry()
        await proxy.stopService()
        for peer in self.served:
            if peer.lost is None:
                peer.transport.abortConnection()
            await peer.ends()

    def build(self) -> Peer:
        """The element's end of a connection."""
        return Peer(self._made)

    def _made(self, peer: Peer) -> None:
        self.served.append(peer)
        if self._came:
            self._came.pop(0).callback(peer)

    def comes(self) -> Deferred[Peer]:
        """Fires with the next connection to an element."""
        came: Deferred[Peer] = Deferred()
        self._came.append(came)
        return came

    async def peers(self, protocol: Any = None) -> int:
        """An element; its identifier."""
        factory = Factory.forProtocol(protocol or self.build)
        port = network_reactor.listenTCP(0, factory, interface=HOST)
        self.addCleanup(port.stopListening)
        return await self.register(TcpTransport(port.getHost().port, HOST))

    async def client(self, proxy: ProxyService) -> Peer:
        """A client of the proxy."""
        port: Any = proxy.ports[0]
        client: Peer = await connectProtocol(TCP4ClientEndpoint(reactor, HOST, port.getHost().port), Peer())

        async def end() -> None:
            client.transport.abortConnection()
            await client.ends()

        self.addCleanup(end)
        return client

    async def pair(self, proxy: ProxyService) -> tuple[Peer, Peer]:
        """A client, and the element's end."""
        came = self.comes()
        return await self.client(proxy), await came
