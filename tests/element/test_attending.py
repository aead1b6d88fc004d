"""What a program registers by itself is in its pool while somebody serves there."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo

from rserpool.core import ConfigurationError, TcpTransport
from rserpool.core.profiles import FAST
from rserpool.element import PoolElementService, attending
from rserpool.user import PoolChanged, PoolUserService
from tests.names.loopback import HOST, LoopbackCase, free_port


class AttendingTests(LoopbackCase):
    """With ports of this host."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(attending, "EVERY", 0.01)
        stack: Any = self.network.stack(HOST)
        self.element = PoolElementService(reactor, registrars=[self.asap], hosts=(HOST,), profile=FAST, stack=stack)
        self.element.startService()
        self.addCleanup(self.element.stopService)
        self.user = PoolUserService(reactor, [self.asap], profile=FAST, stack=self.network.stack(HOST))
        self.user.startService()
        self.addCleanup(self.user.stopService)
        self.members: list[int] | None = None
        self.user.subscribe("pool", self.changed)

    def changed(self, change: PoolChanged) -> None:
        self.members = sorted(element.identifier for element in change.elements or ())

    async def holds(self, *members: int) -> None:
        """Wait until the pool has just these."""
        while self.members != list(members):
            await self.user.resolve("nothing", timeout=0.02).addErrback(lambda _: None)

    async def comes_and_goes(self, port: int, opens: Any, closes: Any) -> None:
        waiting = self.element.serve("pool", TcpTransport(port, HOST), identifier=7)
        await self.holds()
        self.assertFalse(waiting.called)
        for _ in range(2):
            opens()
            await self.holds(7)
            self.assertEqual(7, await waiting)
            await closes()
            await self.holds()

    async def test_ours(self) -> None:
        """A port of this process."""
        network: Any = reactor
        number, opened = free_port(), []

        def opens() -> None:
            opened.append(network.listenTCP(number, Factory.forProtocol(Echo), interface=HOST))
            self.addCleanup(opened[-1].stopListening)

        await self.comes_and_goes(number, opens, lambda: opened[-1].stopListening())

    async def test_anothers(self) -> None:
        """A port that the reactor knows nothing of; what is changed meanwhile is registered in the end."""
        taken = socket.create_server((HOST, 0))
        self.addCleanup(taken.close)
        number = taken.getsockname()[1]
        self.assertEqual(3, await self.element.serve("pool", TcpTransport(number, HOST), identifier=3))
        await self.holds(3)
        taken.close()
        await self.holds()
        with self.assertRaisesRegex(ConfigurationError, "already"):
            self.element.serve("pool", TcpTransport(number, HOST))
        other = socket.create_server((HOST, 0))
        self.addCleanup(other.close)
        transport = TcpTransport(other.getsockname()[1], HOST)
        self.element.change("pool", transport=transport)
        await self.holds(3)
        (element,) = (await self.user.resolve("pool", fresh=True)).elements
        self.assertEqual(transport, element.user_transport)

    async def test_leaves(self) -> None:
        """Who has left comes back no more."""
        waiting = self.element.serve("pool", TcpTransport(free_port(), HOST))
        await self.element.leave("pool")
        self.assertFalse(waiting.called)
        with self.assertRaises(KeyError):
            self.element.change("pool", policy="random")
