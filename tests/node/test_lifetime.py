"""Services that are stopped, and start again."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet import reactor
from twisted.internet.defer import succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo

from rserpool.core import TcpTransport, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.element import PooledService, PoolElementService
from rserpool.monitor import StatusReporter
from rserpool.proxy import ProxyService
from rserpool.session.keys import KeyFile
from rserpool.user import PoolUserService
from tests.names.loopback import HOST, LoopbackCase


class AgainTests(LoopbackCase):
    """Each service lives twice, and serves in its second life as in its first."""

    def setUp(self) -> None:
        super().setUp()
        self.user = PoolUserService(reactor, [self.asap], profile=FAST, stack=self.network.stack(HOST))
        self.user.startService()
        self.addCleanup(self.user.stopService)

    async def found(self) -> list[int]:
        """The elements of the pool."""
        return [element.identifier for element in (await self.user.resolve("pool", fresh=True)).elements]

    def too_early(self, service: Any) -> Any:
        """Stop it; that it has not ended yet is said at once."""
        stopped = service.stopService()
        if not stopped.called:
            self.assertRaisesRegex(RuntimeError, "is still stopping", service.startService)
        return stopped

    async def test_registrar(self) -> None:
        await self.register(TcpTransport(80, HOST))
        for _ in range(2):
            await self.too_early(self.registrar)
            self.registrar.startService()
            self.assertEqual(0, len(self.registrar.registrar.handlespace))
            # The element finds it again.
            while not len(self.registrar.registrar.handlespace):
                await self.user.resolve("other", timeout=0.05).addErrback(lambda _: None)
        self.assertEqual([1], await self.found())

    async def test_element(self) -> None:
        element = PoolElementService(
            reactor, registrars=[self.asap], hosts=(HOST,), profile=FAST, stack=self.network.stack(HOST), checked=False
        )
        self.addCleanup(element.stopService)
        for identifier in (1, 2):
            element.startService()
            await element.serve("pool", TcpTransport(80, HOST), identifier=identifier)
            self.assertEqual([identifier], await self.found())
            await self.too_early(element)
        early = element.serve("pool", TcpTransport(80, HOST), identifier=3)
        element.startService()
        self.assertEqual(3, await early)

    async def test_pooled_service(self) -> None:
        inner = StreamServerEndpointService(TCP4ServerEndpoint(reactor, 0, interface=HOST), Factory.forProtocol(Echo))
        pooled = PooledService(
            reactor, inner, ["pool"], registrars=[self.asap], profile=FAST, stack=self.network.stack(HOST), identifier=7
        )
        self.addCleanup(pooled.stopService)
        for _ in range(2):
            pooled.startService()
            while not (await self.user.resolve("pool", fresh=True).addErrback(lambda _: None)):
                pass
            self.assertEqual([7], await self.found())
            (element,) = (await self.user.resolve("pool", fresh=True)).elements
            port: Any = await inner._waitingForPort
            inner._waitingForPort = succeed(port)
            self.assertEqual(port.getHost().port, element.user_transport.port)
            await self.too_early(pooled)

    async def test_user(self) -> None:
        await self.register(TcpTransport(80, HOST))
        for _ in range(2):
            self.assertEqual([1], await self.found())
            await self.user.stopService()
            self.user.startService()

    async def test_proxy(self) -> None:
        proxy = ProxyService(self.user, "pool", [serverFromString(reactor, f"tcp:0:interface={HOST}")])
        self.addCleanup(proxy.stopService)
        for _ in range(2):
            proxy.startService()
            await proxy.listening
            self.assertEqual(1, len(proxy.ports))
            await self.too_early(proxy)

    async def test_reports_and_keys(self) -> None:
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("one " + "00" * 32 + "\n")
        keys = KeyFile(reactor, path)
        reporter = StatusReporter(reactor, lambda: (), TransportAddress((HOST,), 9, protocol="udp"), keys)
        for _ in range(2):
            reporter.startService()
            self.assertTrue(keys.running)
            await reporter.stopService()
            self.assertFalse(keys.running)
