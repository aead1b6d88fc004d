"""The proxy's own connections: what they do at once, and what happens where that cannot be."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol

from rserpool.core import TcpTransport, TransportAddress
from rserpool.node.sockets import VANISHED
from rserpool.proxy.direct import ClientEndpoint, Connection
from tests.names.loopback import HOST, free_port, network_reactor
from tests.proxy.stage import Peer, ProxyCase


class Far(socket.socket):
    """A socket that hears from a port of this host in the reactor's next turn, as from one that is elsewhere."""

    asked = 0

    def connect_ex(self, place: Any) -> int:
        self.asked += 1
        return errno.EALREADY if self.asked == 2 else super().connect_ex(place)


class DirectTests(ProxyCase):
    """Between real sockets."""

    async def test_options(self) -> None:
        """Either socket sends at once, and notices that its peer is gone."""
        await self.peers()
        proxy = await self.proxy()
        await self.pair(proxy)
        (client,) = proxy._clients._clients
        for end in (client.end, client.end.other):
            assert end is not None
            self.assertIsInstance(end.transport, Connection)
            handle = end.transport.getHandle()
            self.assertTrue(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            self.assertLess(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), VANISHED)

    async def test_waits(self) -> None:
        """An element that is elsewhere takes a while; who refuses then is passed over."""
        self.patch(socket, "socket", Far)
        await self.dead()
        await self.peers()
        await self.dead()
        proxy = await self.proxy()
        for _ in range(3):
            client, element = await self.pair(proxy)
            client.transport.write(b"question")
            await element.gets(b"question")
            element.transport.write(b"answer")
            await client.gets(b"answer")
        self.assertEqual((3, 0), (proxy.counters.accepted, proxy.counters.failed))

    async def test_silent(self) -> None:
        """One that does not answer is given up after a while."""
        with socket.create_server((HOST, 0), backlog=0) as full, socket.socket() as one, socket.socket() as other:
            for each in (one, other):
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            await self.register(TcpTransport(full.getsockname()[1], HOST))
            await self.peers()
            proxy = await self.proxy()
            for _ in range(2):
                client, element = await self.pair(proxy)
                client.transport.write(b"x")
                await element.gets(b"x")

    async def test_six(self) -> None:
        """A client that comes over IPv6."""
        await self.peers()
        proxy = await self.proxy("[::1]:0")
        came = self.comes()
        there: Any = proxy.ports[0]
        client: Any = await connectProtocol(TCP6ClientEndpoint(reactor, "::1", there.getHost().port), Peer())
        client.transport.write(b"question")
        element = await came
        await element.gets(b"question")
        (ours,) = proxy._clients._clients
        self.assertEqual(client.transport.getHost().port, ours.end.transport.getPeer().port)
        self.assertEqual(("::1", "::1"), (ours.host, ours.end.transport.getHost().host))
        client.transport.abortConnection()
        await element.ends()

    async def test_reset_already(self) -> None:
        """A client that is gone before anything was read of it: a reset is passed on as one, and an end as an end."""
        await self.peers()
        proxy = await self.proxy()
        for linger, reason in ((True, ConnectionLost), (False, ConnectionDone)):
            came = self.comes()
            port: Any = proxy.ports[0]
            with socket.create_connection((HOST, port.getHost().port)) as client:
                if linger:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                else:
                    client.send(b"question")
            element = await came
            if not linger:
                await element.until(lambda element=element: element.half_closed)
                self.assertEqual(b"question", element.received)
                element.transport.loseConnection()
            await element.ends()
            assert element.lost is not None
            self.assertTrue(element.lost.check(reason), element.lost)
        await proxy.stopService()
        self.assertEqual(0, proxy.counters.open)


class ConnectTests(ProxyCase):
    """The endpoint alone."""

    def endpoint(self, port: int, host: str = HOST) -> ClientEndpoint:
        return ClientEndpoint(reactor, TransportAddress((host,), port, protocol="tcp"))

    async def test_six(self) -> None:
        """Over IPv6."""
        port = network_reactor.listenTCP(0, Factory.forProtocol(self.build), interface="::1")
        self.addCleanup(port.stopListening)
        came, number = self.comes(), port.getHost().port
        protocol: Any = await self.endpoint(number, "::1").connect(Factory.forProtocol(Peer))
        element = await came
        self.assertEqual(("::1", number), (protocol.transport.getPeer().host, protocol.transport.getPeer().port))
        protocol.transport.loseConnection()
        await element.until(lambda: element.half_closed)
        element.transport.loseConnection()
        await element.ends()

    async def test_refused(self) -> None:
        """It is known at once, or in the next turn, that nobody listens there."""
        for _ in range(2):
            with self.assertRaises(ConnectionRefusedError):
                await self.endpoint(free_port()).connect(Factory.forProtocol(Protocol))
            self.patch(socket, "socket", Far)

    async def test_cancelled(self) -> None:
        """Nothing is left of a connection that nobody wants any more."""
        self.patch(socket, "socket", Far)
        connecting = self.endpoint(free_port()).connect(Factory.forProtocol(Protocol))
        before = network_reactor.getWriters()
        connecting.cancel()
        with self.assertRaises(CancelledError):
            await connecting
        self.assertEqual((1, []), (len(before), network_reactor.getWriters()))

    async def test_no_descriptor(self) -> None:
        """Where none is left that is an error as any other."""

        def refuse(*_: Any) -> Any:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(socket, "socket", refuse)
        error = await self.endpoint(1).connect(Factory.forProtocol(Protocol)).addErrback(lambda failure: failure.value)
        self.assertIn("Too many open files", str(error))
