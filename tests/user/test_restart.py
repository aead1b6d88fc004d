"""A pool of one whose element is restarted: for some seconds nobody knows the pool, and every way in waits."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import UnknownPool
from rserpool.names import Resolver
from rserpool.names.hostnames import getaddrinfo
from rserpool.session import Sender, Session
from rserpool.user import PoolClientEndpoint
from tests.names.loopback import LoopbackCase
from tests.pool_scope import PoolScope, Taking
from tests.web.world import AgentCase


class MemoryTests(SynchronousTestCase):
    """On a clock."""

    def waits(self, way: Any, seconds: float, known: bool) -> Any:
        """What a way in gives when the element comes after so many seconds."""
        self.scope = PoolScope(self)
        user = self.scope.client.service
        if known:
            element = self.scope.member(1)
            self.scope.result(user.resolve("pool"))
            self.scope.result(element.stop())
            self.scope.advance(2.0)
            with self.assertRaises(UnknownPool):
                self.scope.result(user.resolve("pool", fresh=True))
        waiting = way(user)
        self.scope.advance(seconds)
        self.assertNoResult(waiting)
        self.scope.member(2)
        before = self.scope.now
        result = self.scope.result(waiting)
        self.assertLess(self.scope.now - before, 1.0)
        return result

    def each(self, way: Any) -> None:
        self.waits(way, 4.0, known=False)
        self.waits(way, 20.0, known=True)

    def test_endpoint(self) -> None:
        self.each(lambda user: PoolClientEndpoint(user, "pool").connect(Factory.forProtocol(Taking)))

    def test_sender(self) -> None:
        self.each(lambda user: Sender(user).send("pool", b"x"))

    def test_session(self) -> None:
        self.each(lambda user: Session(user, "pool").ready())

    def test_addresses(self) -> None:
        """A resolution takes five seconds, where nothing else is said."""
        for known in (False, True):
            self.waits(lambda user: getaddrinfo(user, "pool"), 4.0, known)
        self.waits(lambda user: getaddrinfo(user, "pool", timeout=30.0), 20.0, known=True)

    def test_never(self) -> None:
        """A pool that never was is an error after five seconds; of a resolution without patience at once."""
        scope = PoolScope(self)
        user = scope.client.service
        ways: Any = (
            (lambda: PoolClientEndpoint(user, "pool").connect(Factory.forProtocol(Taking)), 4.9, 5.6),
            (lambda: PoolClientEndpoint(user, "pool", timeout=1.0).connect(Factory.forProtocol(Taking)), 0.9, 1.6),
            (lambda: user.resolve("pool"), 0.0, 0.5),
        )
        for way, least, most in ways:
            before = scope.now
            self.assertRaises(UnknownPool, scope.result, way())
            self.assertTrue(least <= scope.now - before <= most, scope.now - before)


class NameTests(LoopbackCase):
    """Programs without a reactor."""

    async def test_names(self) -> None:
        resolver = Resolver([self.where], "fast")
        waiting = [
            self.in_thread(resolver.create_connection, "pool"),
            self.in_thread(resolver.getaddrinfo, "pool"),
        ]
        await deferLater(reactor, 0.5)  # type: ignore[arg-type]
        self.assertFalse(any(each.called for each in waiting))
        await self.server(b"late")
        connection, addresses = await gatherResults(waiting)
        connection.close()
        self.assertEqual(1, len(addresses))


class AgentTests(AgentCase):
    """HTTP requests."""

    async def test_agent(self) -> None:
        waiting = ensureDeferred(self.get())
        await deferLater(reactor, 0.5)  # type: ignore[arg-type]
        self.assertNoResult(waiting)
        await self.element()
        self.assertEqual(1, await waiting)
