"""A pool user without SCTP: ASAP over TCP (RFC 5352 section 2.1), on real sockets of the loopback interface."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import provider

from rserpool.core import (
    NoRegistrar,
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    SctpUnavailable,
    TcpTransport,
    TransportAddress,
    UnknownPool,
)
from rserpool.core.profiles import FAST
from rserpool.core.registrar import Registrar
from rserpool.node.listening import listen_tcp
from rserpool.node.node import Node
from rserpool.user import PoolClientEndpoint, PoolUserService


class TcpTests(TestCase):
    """With a registrar on a free TCP port."""

    def setUp(self) -> None:
        self.registrar = Registrar(1, profile=FAST, random=Random(1), keep_alives=False)
        self.listen(0)

    def listen(self, port: int) -> None:
        self.node = Node(reactor, self.registrar, lambda event: None)
        self.port: Any = listen_tcp(reactor, "127.0.0.1", port, self.node.asap)
        host: Any = self.port.getHost()
        self.address = TransportAddress(("127.0.0.1",), host.port, protocol="tcp")

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.vanish()

    async def vanish(self) -> None:
        """The registrar is gone."""
        self.node.stop()
        await maybeDeferred(self.port.stopListening)

    def know(self, identifier: int, port: int) -> None:
        """The registrar knows an element."""
        home = SctpTransport(5000, 1, ("127.0.0.1",))
        parameter = PoolElementParameter(identifier, 1, 60, TcpTransport(port, "127.0.0.1"), PolicyParameter(1), home)
        self.registrar.handlespace.register(b"pool", parameter)

    def start(self, **options: Any) -> PoolUserService:
        user = PoolUserService(reactor, [self.address], profile=FAST, **options)
        user.startService()
        self.addCleanup(user.stopService)
        return user

    async def test_resolve(self) -> None:
        """A resolution over TCP."""
        self.know(1, 80)
        user = self.start(transport="tcp")
        resolved = await user.resolve(b"pool")
        self.assertEqual([element.identifier for element in resolved.elements], [1])
        self.assertEqual(user.home, self.address)
        with self.assertRaises(UnknownPool):
            await user.resolve(b"other")

    async def test_many(self) -> None:
        """Answers of many elements come whole, and in the order of the questions."""
        for number in range(1, 500):
            self.know(number, number)
        user = self.start(transport="tcp")
        for items in (1, 400, 2):
            resolved = await user.resolve(b"pool", items=items, fresh=True)
            self.assertEqual(len(resolved.elements), items)

    async def test_auto(self) -> None:
        """Where there is no SCTP the user takes TCP, and a log line says why and what to do."""
        self.know(1, 80)
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: Any) -> None:
            if event.get("log_level") is LogLevel.warn:
                lines.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        user = self.start(backend="kernel")
        self.assertEqual(len((await user.resolve(b"pool")).elements), 1)
        self.assertIn("over TCP", lines[0])
        self.assertIn("usrsctp", lines[0])

    def test_sctp_wanted(self) -> None:
        """Who insists on SCTP is told that there is none."""
        user = PoolUserService(reactor, [self.address], transport="sctp", backend="kernel")
        self.assertRaises(SctpUnavailable, user.startService)
        self.assertFalse(user.running)

    async def test_registrar_gone_and_back(self) -> None:
        """A subscription over TCP is re-armed when the registrar is back."""
        self.know(1, 80)
        user = self.start(transport="tcp")
        shown: list[Any] = []
        waiting: list[tuple[int, Deferred[None]]] = []

        def show(change: Any) -> None:
            shown.append(change.elements and [element.identifier for element in change.elements])
            for count, done in waiting:
                if len(shown) == count:
                    done.callback(None)

        async def until(count: int) -> None:
            if len(shown) < count:
                done: Deferred[None] = Deferred()
                waiting.append((count, done))
                await done.addTimeout(20, reactor)

        user.subscribe(b"pool", show)
        await until(1)
        await self.vanish()
        self.know(2, 81)
        self.listen(self.address.port)
        await until(2)
        self.assertEqual(shown, [[1], [1, 2]])

    async def test_nobody(self) -> None:
        """Nobody listens: the deadline holds, and the text names the address."""
        await self.vanish()
        user = self.start(transport="tcp")
        try:
            await user.resolve(b"pool", timeout=0.3)
        except NoRegistrar as error:
            self.assertIn(f"127.0.0.1:{self.address.port} (tcp)", str(error))
        else:
            self.fail("somebody answered")

    async def test_endpoint(self) -> None:
        """A client endpoint over nothing but TCP: past a dead element to a living one."""
        serving: list[Deferred[None]] = []

        class Serving(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                serving.pop().callback(None)

        web = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Serving))
        self.addCleanup(web.stopListening)
        self.know(1, 9)
        self.know(2, web.getHost().port)  # type: ignore[attr-defined]
        endpoint = PoolClientEndpoint(self.start(transport="tcp"), "pool", timeout=10)
        for _ in range(2):
            gone: Deferred[None] = Deferred()
            serving.append(gone)
            protocol: Any = await endpoint.connect(Factory.forProtocol(Protocol))
            assert endpoint.element is not None
            self.assertEqual(endpoint.element.identifier, 2)
            protocol.transport.loseConnection()
            await gone
