"""TLS through a proxy: passed on as it is, or ended at its listening side and begun anew towards the element."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS

from rserpool.core import TcpTransport
from rserpool.proxy import ProxyService
from tests.names.loopback import HOST
from tests.proxy.stage import Peer, ProxyCase
from tests.web.certificates import Authority

NAME = "shop.example"
LONG = b"answer" * 100_000


class TlsTests(ProxyCase):
    """Elements that serve TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()

    async def tls_peers(self, certificate: str = NAME, build: Any = None) -> int:
        """An element that shows a certificate for this name."""
        options = self.authority.server(certificate).options()
        endpoint = SSL4ServerEndpoint(reactor, 0, options, interface=HOST)
        port = await endpoint.listen(Factory.forProtocol(build or self.build))
        self.addCleanup(port.stopListening)
        return await self.register(TcpTransport(port.getHost().port, HOST))

    async def over_tls(self, proxy: ProxyService, name: str) -> Peer:
        """A client that wants a certificate for this name from whoever answers."""
        port: Any = proxy.ports[0]
        trust = optionsForClientTLS(name, trustRoot=self.authority.trusted)
        return await connectProtocol(
            wrapClientTLS(trust, TCP4ClientEndpoint(reactor, HOST, port.getHost().port)), Peer()
        )

    async def question(self, client: Peer, element: Any) -> None:
        """Ask and answer, and end."""
        client.transport.write(b"question")
        served = await element
        await served.gets(b"question")
        served.transport.write(LONG)
        await client.gets(LONG)
        client.transport.loseConnection()
        await client.ends()
        await served.ends()

    async def test_passed_through(self) -> None:
        """The client checks the element's own certificate: the proxy has none, and reads nothing."""
        await self.tls_peers()
        proxy = await self.proxy()
        came = self.comes()
        await self.question(await self.over_tls(proxy, NAME), came)

    async def test_begun_anew(self) -> None:
        """The proxy shows a certificate of its own, and checks that of the element."""
        path = self.mktemp()
        self.authority.write(path, "proxy.example")
        strangers: list[Peer] = []
        await self.tls_peers("wrong.example", lambda: Peer(strangers.append))
        await self.tls_peers()
        listen = rf"ssl:0:interface=127.0.0.1:privateKey={path}:certKey={path}"
        proxy = await self.proxy(listen, tls=NAME, tls_ca=self.authority.pem)
        for _ in range(2):
            came = self.comes()
            await self.question(await self.over_tls(proxy, "proxy.example"), came)
        self.assertEqual((0, 0), (proxy.counters.open, proxy.counters.failed))
        for stranger in strangers:
            await stranger.ends()
            self.assertEqual(b"", stranger.received)

    async def test_begun(self) -> None:
        """A client that knows no TLS has it from the proxy on."""
        await self.tls_peers()
        proxy = await self.proxy(tls=NAME, tls_ca=self.authority.pem)
        came = self.comes()
        await self.question(await self.client(proxy), came)

    async def test_nobody(self) -> None:
        """Where no element has the right certificate, the client is let go, and nothing was said."""
        await self.tls_peers("wrong.example")
        proxy = await self.proxy(tls=NAME, tls_ca=self.authority.pem, timeout=1.0)
        client = await self.client(proxy)
        client.transport.write(b"secret")
        await client.ends()
        for each in self.served:
            await each.ends()
            self.assertEqual(b"", each.received)
        self.assertEqual(1, proxy.counters.failed)
