"""The proxy on a virtual clock: deadlines, pauses, and what it counts."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, serverFromString
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rserpool.proxy import ProxyService
from rserpool.proxy.clients import HALF_CLOSED
from rserpool.proxy.descriptors import OURS, room_for
from tests.pool_scope import PoolScope, Taking


@implementer(IHalfCloseableProtocol)
class Half(Taking):
    """An element's end that goes on when the other side has said all."""

    ended = False

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        pass


class ServiceTests(SynchronousTestCase):
    """A proxy on a host of its own, and its clients on another."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.clients = self.scope.user()

    def proxy(self, **options: Any) -> ProxyService:
        front: Any = serverFromString(self.scope.client.reactor, "tcp:8080")
        proxy = ProxyService(self.scope.client.service, "pool", [front], **options)
        proxy.startService()
        self.addCleanup(lambda: self.scope.result(proxy.stopService()))
        return proxy

    def client(self) -> Any:
        """A client that is connected with the proxy."""
        endpoint = TCP4ClientEndpoint(self.clients.reactor, self.scope.client.host, 8080)
        return self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))

    def accepted(self) -> dict[int, int]:
        """How many connections each element has accepted."""
        return {number: len(server.connections) for number, server in self.scope.servers.items()}

    def test_unknown_pool(self) -> None:
        """That there is no such pool is told at the start."""
        with capturedLogs() as logs:
            self.proxy()
            self.scope.advance(1.0)
        told = [formatEvent(event) for event in logs if event["log_level"] is LogLevel.warn]
        self.assertEqual(["no pool is named pool now: clients wait for it"], told)

    def test_no_registrar(self) -> None:
        """Who starts it reads that it cannot work yet, before the first client does; and when it can."""
        (registrar,) = self.scope.registrars
        registrar.kill()
        self.scope.advance(5.0)
        with capturedLogs() as logs:
            self.proxy()
            self.scope.advance(6.0)
            registrar.start()
            self.scope.member(1)
            self.scope.advance(6.0)
        told = [formatEvent(event) for event in logs if event.get("log_namespace", "").startswith("rserpool.user")]
        self.assertEqual(
            [
                "pool pool cannot be used: no registrar answers (tried: 10.0.0.1:3863)",
                "the registrar at 10.0.0.1:3863 is the home now",
                "pool pool can be used again",
            ],
            told,
        )

    def test_pool_is_there_again(self) -> None:
        """Who read that there is no such pool reads when it is there again."""
        told: list[int] = []
        with capturedLogs() as logs:
            self.proxy().there = told.append
            self.scope.advance(1.0)
            self.scope.member(1)
            self.scope.until(lambda: bool(told))
        said = [formatEvent(event) for event in logs if event.get("event") == "pool-there"]
        self.assertEqual((["pool pool is there: 1 elements"], [1]), (said, told))

    def test_half_closed(self) -> None:
        """What one side has closed ends when nothing has come from the other for a while."""
        self.scope.member(1)
        self.scope.servers[1].kind = Half
        proxy = self.proxy()
        client = self.client()
        self.scope.until(lambda: proxy.counters.open == 1 and self.accepted() == {1: 1})
        element: Any = self.scope.servers[1].connections[0]
        client.transport.loseWriteConnection()
        self.scope.until(lambda: element.ended)
        for _ in range(3):
            self.scope.advance(HALF_CLOSED * 0.9)
            element.transport.write(b"more")
        self.scope.advance(0.1)
        self.assertEqual(b"moremoremore", client.received)
        self.assertIsNone(client.lost)
        self.scope.advance(HALF_CLOSED * 2)
        self.assertIsNotNone(client.lost)
        self.assertTrue(element.lost)
        self.assertEqual(0, proxy.counters.open)

    def test_deadline(self) -> None:
        """A pool without an element: the client is given up at the deadline, not before."""
        proxy = self.proxy(timeout=10.0)
        client = self.client()
        self.scope.advance(9.0)
        self.assertIsNone(client.lost)
        self.scope.advance(2.0)
        self.assertIsNotNone(client.lost)
        self.assertEqual(1, proxy.counters.failed)

    def test_leaving(self) -> None:
        """A client that leaves while it waits, or while an element is tried, is forgotten."""
        proxy = self.proxy()
        client = self.client()
        self.scope.advance(1.0)
        client.transport.abortConnection()
        self.scope.hold(self.scope.client, self.scope.member(1))
        client = self.client()
        self.scope.until(self.scope.tried)
        client.transport.abortConnection()
        self.scope.advance(100.0)
        self.assertEqual((2, 0, 0), (proxy.counters.accepted, proxy.counters.open, proxy.counters.failed))

    def test_policy(self) -> None:
        """Clients go to the elements in turn; who refuses is reported, and comes last for a while."""
        for number in (1, 2, 3):
            self.scope.member(number)
        self.proxy()
        self.scope.advance(1.0)
        for _ in range(6):
            self.client()
        self.scope.until(lambda: sum(self.accepted().values()) == 6)
        self.assertEqual({1: 2, 2: 2, 3: 2}, self.accepted())
        self.scope.close(2)
        self.scope.tried()
        for count in (9, 12):
            for _ in range(3):
                self.client()
            self.scope.until(lambda count=count: sum(self.accepted().values()) == count)  # type: ignore[misc]
        tried = self.scope.tried()
        self.assertLessEqual(tried.count(8002), 3)
        self.assertEqual(6, sum(port != 8002 for port in tried))

    def test_frozen(self) -> None:
        """With C{drop} the connection to a frozen element ends when the registrar has removed it."""
        self.scope.member(1)
        self.proxy(drop=True)
        client = self.client()
        self.scope.until(lambda: self.accepted() == {1: 1})
        client.transport.write(b"x")
        self.scope.advance(10.0)
        self.assertIsNone(client.lost)
        self.scope.freeze(self.scope.members[1])
        self.scope.until(lambda: client.lost, 10.0)

    def test_left(self) -> None:
        """With C{drop} an element that leaves may finish what clients wait for; an idle connection ends soon."""
        self.scope.member(1)
        self.proxy(drop=True)
        waiting, idle = self.client(), self.client()
        self.scope.until(lambda: self.accepted() == {1: 2})
        served = list(self.scope.servers[1].connections)
        for client in (waiting, idle):
            client.transport.write(b"ask")
        self.scope.until(lambda: all(each.received == b"ask" for each in served))
        self.scope.members[1].leave("pool")
        for each in served:
            if each.transport.getPeer().port == idle.transport.getHost().port:
                each.transport.write(b"answer")
        self.scope.advance(8.0)
        self.assertIsNone(waiting.lost)
        self.assertEqual(1, sum(each.lost is None for each in (waiting, idle)))

    def test_stops_with_an_idle_connection(self) -> None:
        """One that waits for nothing does not cost the whole grace; one that waits for an answer does."""
        self.scope.member(1)
        proxy = self.proxy(grace=30.0)
        waiting, idle = self.client(), self.client()
        self.scope.until(lambda: self.accepted() == {1: 2})
        waiting.transport.write(b"ask")
        self.scope.advance(1.0)
        stopped = proxy.stopService()
        self.scope.until(lambda: idle.lost, 5.0)
        self.scope.advance(20.0)
        self.assertIsNone(waiting.lost)
        self.assertNoResult(stopped)
        self.scope.servers[1].connections[0].transport.write(b"answer")
        self.scope.servers[1].connections[-1].transport.write(b"answer")
        self.scope.until(lambda: waiting.lost, 5.0)
        self.scope.result(stopped)


class DescriptorTests(SynchronousTestCase):
    """How many connections fit."""

    def test_room(self) -> None:
        """Two file descriptors each; the soft limit is raised as far as the hard one allows."""
        import resource

        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        limits = [before]
        self.patch(resource, "getrlimit", lambda _: limits[-1])
        self.patch(resource, "setrlimit", lambda _, new: limits.append(new))
        limits.append((20 + OURS, 1000))
        self.assertEqual(10, room_for(10))
        self.assertEqual((20 + OURS, 1000), limits[-1])
        self.assertEqual(200, room_for(200))
        self.assertEqual((2 * 200 + OURS, 1000), limits[-1])
        self.assertEqual((1000 - OURS) // 2, room_for(10_000))
        self.assertEqual((1000, 1000), limits[-1])
