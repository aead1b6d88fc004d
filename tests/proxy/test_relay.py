"""The proxy between real sockets on the loopback interface, beside a real registrar; SCTP in memory."""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core import ConfigurationError, SctpTransport, TcpTransport
from rserpool.core.profiles import FAST
from rserpool.core.wire.parameters import DATA_ONLY
from rserpool.proxy import ProxyService
from rserpool.proxy.listening import server_endpoint
from rserpool.proxy.service import address_text
from rserpool.sctp import listenSCTP
from rserpool.user import PoolUserService
from tests.names.loopback import HOST, LoopbackCase, network_reactor
from tests.web.certificates import Authority

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
        self.user = PoolUserService(
            reactor, [self.asap], transport="sctp", profile=FAST, random=Random(3), stack=self.network.stack(HOST)
        )

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
        return await self.element(TcpTransport(port.getHost().port, HOST))

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


class RelayTests(ProxyCase):
    """What is passed on."""

    async def test_both_ways(self) -> None:
        """Bytes go both ways; then the client closes."""
        await self.peers()
        proxy = await self.proxy()
        client, element = await self.pair(proxy)
        client.transport.write(b"question")
        await element.gets(b"question")
        element.transport.write(b"answer")
        await client.gets(b"answer")
        self.assertEqual((8, 6, 1), (proxy.counters.to_elements, proxy.counters.from_elements, proxy.counters.open))
        client.transport.loseConnection()
        await element.until(lambda: element.half_closed)
        element.transport.loseConnection()
        await client.ends()

    async def test_half_close(self) -> None:
        """One direction ends, the other goes on; a client that has asked reads the answer to its end."""
        await self.peers()
        proxy = await self.proxy()
        client, element = await self.pair(proxy)
        client.transport.write(b"question")
        client.transport.loseWriteConnection()
        await element.until(lambda: element.half_closed)
        self.assertEqual(b"question", element.received)
        element.transport.write(b"answer" * 100_000)
        element.transport.loseWriteConnection()
        await client.until(lambda: client.half_closed)
        self.assertEqual(b"answer" * 100_000, client.received)
        client.transport.loseConnection()
        await client.ends()
        element.transport.loseConnection()
        await element.ends()
        self.assertTrue(element.lost is not None and element.lost.check(ConnectionDone))
        # And the other way round.
        client, element = await self.pair(proxy)
        element.transport.write(b"hello")
        element.transport.loseWriteConnection()
        await client.until(lambda: client.half_closed)
        client.transport.write(b"bye")
        client.transport.loseWriteConnection()
        await element.until(lambda: element.half_closed)
        self.assertEqual((b"hello", b"bye"), (client.received, element.received))

    async def test_backpressure(self) -> None:
        """Who reads slowly slows the other down: little is kept on the way, and nothing is lost."""
        await self.peers()
        proxy = await self.proxy()
        client, element = await self.pair(proxy)
        for writer, reader in ((client, element), (element, client)):
            reader.transport.pauseProducing()
            producer = Producer(writer.transport)
            await producer.full
            self.assertLess(producer.sent, BIG)
            reader.transport.resumeProducing()
            await reader.until(lambda reader=reader: len(reader.received) == BIG)

    async def test_reset(self) -> None:
        """A reset is passed on as one, in both directions."""
        await self.peers()
        proxy = await self.proxy()
        client, element = await self.pair(proxy)
        element.transport.write(b"half of the an")
        await client.gets(b"half of the an")
        element.transport.abortConnection()
        await client.ends()
        self.assertTrue(client.lost is not None and client.lost.check(ConnectionLost))
        client, element = await self.pair(proxy)
        client.transport.abortConnection()
        await element.ends()
        self.assertTrue(element.lost is not None and element.lost.check(ConnectionLost))

    async def test_unix(self) -> None:
        """UNIX sockets, too, with half-closes."""
        await self.peers()
        path = os.path.join(f"/tmp/rserpool-{os.getpid()}-{id(self):x}.socket")
        proxy = await self.proxy(f"unix:{path}")
        self.assertEqual(f"unix {path}", address_text(proxy.ports[0]))
        came = self.comes()
        client: Peer = await connectProtocol(UNIXClientEndpoint(reactor, path), Peer())
        element = await came
        client.transport.write(b"question")
        client.transport.loseWriteConnection()
        await element.until(lambda: element.half_closed)
        element.transport.write(bytes(element.received[::-1]))
        element.transport.loseConnection()
        await client.until(lambda: client.half_closed)
        self.assertEqual(b"noitseuq", client.received)
        client.transport.loseConnection()
        await client.ends()

    async def test_tls(self) -> None:
        """Clients may come over TLS, which knows no half-close: everything arrives, and then the end."""
        path = self.mktemp()
        authority = Authority()
        authority.write(path, "localhost")
        await self.peers()
        proxy = await self.proxy(rf"ssl:0:interface=127.0.0.1:privateKey={path}:certKey={path}")
        trust = optionsForClientTLS("localhost", trustRoot=trustRootFromCertificates([authority.trusted]))
        port: Any = proxy.ports[0]
        endpoint = wrapClientTLS(trust, TCP4ClientEndpoint(reactor, HOST, port.getHost().port))
        for _ in range(2):
            came = self.comes()
            client: Peer = await connectProtocol(endpoint, Peer())
            client.transport.write(b"question")
            element = await came
            await element.gets(b"question")
            element.transport.write(b"answer" * 100_000)
            element.transport.loseWriteConnection()
            await client.ends()
            self.assertEqual(b"answer" * 100_000, client.received)
            self.assertTrue(client.lost is not None and client.lost.check(ConnectionDone), client.lost)
            await element.until(lambda element=element: element.half_closed)
            element.transport.loseConnection()
            await element.ends()
        self.assertEqual(0, proxy.counters.open)

    async def test_sctp(self) -> None:
        """An element that serves over SCTP is a stream of bytes; it knows no half-close."""
        stack = self.network.stack(HOST)
        port: Any = listenSCTP(reactor, 7, Factory.forProtocol(self.build), stack=stack)
        self.addCleanup(port.stopListening)
        await self.element(SctpTransport(7, DATA_ONLY, (HOST,)), stack=stack)
        proxy = await self.proxy()
        client, element = await self.pair(proxy)
        client.transport.write(b"question")
        await element.gets(b"question")
        element.transport.write(b"answer" * 20_000)
        await client.gets(b"answer" * 20_000)
        client.transport.write(b"and more")
        client.transport.loseWriteConnection()
        await element.ends()
        self.assertEqual(b"questionand more", element.received)
        await client.until(lambda: client.half_closed)


class ChoiceTests(ProxyCase):
    """Which element a client gets."""

    async def test_refusing(self) -> None:
        """Elements that refuse are passed over."""
        await self.dead()
        await self.peers()
        await self.dead()
        proxy = await self.proxy()
        for _ in range(3):
            client, element = await self.pair(proxy)
            client.transport.write(b"x")
            await element.gets(b"x")
        self.assertEqual((3, 0), (proxy.counters.accepted, proxy.counters.failed))

    async def test_closing_at_once(self) -> None:
        """An element that accepts and closes or resets before any byte was passed is no good: another is tried."""
        for bad in (Closing, Resetting):
            await self.peers(bad)
        await self.peers()
        proxy = await self.proxy()
        for _ in range(3):
            client, element = await self.pair(proxy)
            client.transport.write(b"x")
            await element.gets(b"x")
            client.transport.loseConnection()
            await element.until(lambda element=element: element.half_closed)
            element.transport.loseConnection()
        self.assertGreater(proxy.counters.again, 0)

    async def test_nobody_serves(self) -> None:
        """All close without a word: so does the proxy, after a few attempts."""
        await self.peers(Closing)
        proxy = await self.proxy()
        client = await self.client(proxy)
        await client.until(lambda: client.half_closed)
        self.assertEqual(3, proxy.counters.again)

    async def test_no_element(self) -> None:
        """No pool: the client is reset at the deadline, and counted."""
        proxy = await self.proxy(timeout=0.1)
        client = await self.client(proxy)
        await client.ends()
        self.assertTrue(client.lost is not None and client.lost.check(ConnectionLost))
        self.assertEqual((1, 0), (proxy.counters.failed, proxy.counters.open))

    async def test_empty_for_a_while(self) -> None:
        """There is no element yet: the client waits, and is served as soon as one has come."""
        proxy = await self.proxy()
        client = await self.client(proxy)
        client.transport.write(b"x")
        came = self.comes()
        await self.peers()
        element = await came
        await element.gets(b"x")
        self.assertEqual(0, proxy.counters.failed)


class LimitTests(ProxyCase):
    """Limits and the end."""

    async def test_limit(self) -> None:
        """Who comes beyond the limit is sent away; when somebody has left there is room again."""
        await self.peers()
        proxy = await self.proxy(limit=1)
        client, element = await self.pair(proxy)
        other = await self.client(proxy)
        await other.ends()
        self.assertEqual((2, 1, 1), (proxy.counters.accepted, proxy.counters.open, proxy.counters.refused))
        client.transport.abortConnection()
        await element.ends()
        await self.pair(proxy)
        self.assertEqual(1, proxy.counters.open)

    async def test_drain(self) -> None:
        """It stops: no new connections, the old ones go on to their end, and then it has stopped."""
        await self.peers()
        proxy = await self.proxy()
        client, element = await self.pair(proxy)
        number = proxy.ports[0].getHost().port  # type: ignore[attr-defined]
        stopped = proxy.stopService()
        with self.assertRaises(ConnectionRefusedError):
            await connectProtocol(TCP4ClientEndpoint(reactor, HOST, number), Peer())
        client.transport.write(b"still there")
        await element.gets(b"still there")
        self.assertFalse(stopped.called)
        element.transport.loseConnection()
        await client.until(lambda: client.half_closed)
        client.transport.loseConnection()
        await stopped
        self.assertFalse(self.user.running)

    async def test_grace(self) -> None:
        """What has not ended when the time is over is aborted."""
        await self.peers()
        proxy = await self.proxy(grace=0.05)
        client, element = await self.pair(proxy)
        await proxy.stopService()
        await client.ends()
        await element.ends()

    async def test_drop(self) -> None:
        """With C{drop} connections to an element that the registrar removed end."""
        await self.peers()
        proxy = await self.proxy(drop=True)
        client, element = await self.pair(proxy)
        element.transport.write(b"x")
        await client.gets(b"x")
        await self.services[0].leave("pool")
        await client.ends()


class EndpointTests(LoopbackCase):
    """Where it listens."""

    def test_strings(self) -> None:
        """A port alone is on this host; other strings are Twisted's; nonsense gets a sentence."""
        self.assertEqual(HOST, server_endpoint(reactor, "8080")._interface)
        self.assertEqual("", server_endpoint(reactor, "tcp:8080")._interface)
        for wrong in ("", "nonsense:1", "tcp:x", "8080:x", "tcp:1:backlog=x"):
            with self.assertRaisesRegex(ConfigurationError, "is no server endpoint; write for example tcp:8080"):
                server_endpoint(reactor, wrong)
        self.assertIsNotNone(serverFromString(reactor, "unix:/run/www"))
