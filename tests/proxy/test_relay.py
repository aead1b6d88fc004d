"""What a proxy passes on, whom it chooses, and how it ends."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates

from rserpool.core import ConfigurationError, SctpTransport
from rserpool.core.wire.parameters import DATA_ONLY
from rserpool.proxy.listening import server_endpoint
from rserpool.proxy.service import address_text
from rserpool.sctp import listenSCTP
from tests.names.loopback import HOST, LoopbackCase
from tests.proxy.stage import BIG, Closing, Peer, Producer, ProxyCase, Resetting
from tests.web.certificates import Authority


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
        await self.register(SctpTransport(7, DATA_ONLY, (HOST,)), stack=stack)
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
        for wrong in ("", "nonsense:1", "tcp:x", "8080:x", "tcp:1:backlog=x", "99999", "tcp:65536"):
            with self.assertRaisesRegex(ConfigurationError, "is no server endpoint; write for example 8080"):
                server_endpoint(reactor, wrong)
        self.assertIsNotNone(serverFromString(reactor, "unix:/run/www"))
