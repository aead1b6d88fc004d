"""The proxy on a virtual clock: deadlines, pauses, and what it counts."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from rserpool.proxy import ProxyService
from rserpool.proxy.clients import HALF_CLOSED
from rserpool.proxy.descriptors import OURS, room_for
from tests.node.world import Transport, World


class HalfTransport(Transport):
    """A transport that knows half-closes."""

    write_closed = False

    def loseWriteConnection(self) -> None:
        self.write_closed = True


class ServiceTests(SynchronousTestCase):
    """A proxy in a world."""

    def setUp(self) -> None:
        self.world = World(1)

    def proxy(self, **options: Any) -> ProxyService:
        reactor: Any = self.world.reactor
        proxy = ProxyService(self.world.user, "pool", [serverFromString(reactor, "tcp:8080")], **options)
        proxy.startService()
        return proxy

    def client(self) -> Any:
        """A client of the proxy: the proxy's end of its connection."""
        where = IPv4Address("TCP", "10.0.3.1", 5000)
        reactor: Any = self.world.reactor
        end = reactor.tcpServers[0][1].buildProtocol(where)
        end.makeConnection(HalfTransport(end, where))
        return end

    def test_half_closed(self) -> None:
        """What one side has closed ends when nothing has come from the other for a while."""
        self.world.member(1)
        proxy = self.proxy()
        client = self.client()
        self.world.until(lambda: proxy.counters.open == 1 and client.other is not None)
        client.readConnectionLost()
        element = client.other
        for _ in range(3):
            self.world.run(HALF_CLOSED * 0.9)
            element.dataReceived(b"more")
        self.assertEqual(b"moremoremore", client.transport.value())
        self.assertFalse(client.transport.aborted)
        self.world.run(HALF_CLOSED * 2)
        self.assertTrue(client.transport.aborted)
        self.assertTrue(element.transport.aborted)
        self.assertEqual(0, proxy.counters.open)

    def test_deadline(self) -> None:
        """A pool without an element: the client is given up at the deadline, not before."""
        proxy = self.proxy(timeout=10.0)
        client = self.client()
        self.world.run(9.0)
        self.assertFalse(client.transport.aborted)
        self.world.run(2.0)
        self.assertTrue(client.transport.aborted)
        self.assertEqual(1, proxy.counters.failed)

    def test_leaving(self) -> None:
        """A client that leaves while it waits, or while an element is tried, is forgotten."""
        proxy = self.proxy()
        client = self.client()
        self.world.run(1.0)
        client.transport.lose(ConnectionLost())
        self.world.member(1)
        self.world.reactor.silent.add((self.world.host(1, 1), 8001))
        client = self.client()
        self.world.until(lambda: self.world.reactor.attempts)
        client.transport.lose(ConnectionDone())
        self.world.run(100.0)
        self.assertEqual((2, 0, 0), (proxy.counters.accepted, proxy.counters.open, proxy.counters.failed))

    def test_policy(self) -> None:
        """Clients go to the elements in turn; who refuses is reported, and comes last for a while."""
        for number in (1, 2, 3):
            self.world.member(number)
        self.proxy()
        self.world.run(1.0)
        clients = [self.client() for _ in range(6)]
        self.world.until(lambda: all(client.other is not None for client in clients))
        ports = [client.other.transport.getPeer().port for client in clients]
        self.assertEqual({8001: 2, 8002: 2, 8003: 2}, {port: ports.count(port) for port in ports})
        self.world.reactor.accepting.discard((self.world.host(1, 2), 8002))
        self.world.reactor.attempts.clear()
        clients = [self.client() for _ in range(3)]
        self.world.until(lambda: all(client.other is not None for client in clients))
        clients = [self.client() for _ in range(3)]
        self.world.until(lambda: all(client.other is not None for client in clients))
        self.assertLessEqual(self.world.reactor.attempts.count((self.world.host(1, 2), 8002)), 3)
        self.assertEqual(6, sum(port != 8002 for _, port in self.world.reactor.attempts))

    def test_frozen(self) -> None:
        """With C{drop} the connection to a frozen element ends when the registrar has removed it."""
        self.world.member(1)
        self.proxy(drop=True)
        client = self.client()
        self.world.until(lambda: client.other is not None)
        client.dataReceived(b"x")
        self.world.run(10.0)
        self.assertFalse(client.transport.aborted)
        self.world.freeze(1)
        self.world.until(lambda: client.transport.aborted, 10.0)


class DescriptorTests(SynchronousTestCase):
    """How many connections fit."""

    def test_room(self) -> None:
        """Two file descriptors each; the soft limit is raised as far as the hard one allows."""
        import resource

        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        limits = [before]
        self.patch(resource, "getrlimit", lambda _: limits[-1])
        self.patch(resource, "setrlimit", lambda _, new: limits.append(new))
        limits.append((100, 1000))
        self.assertEqual(10, room_for(10))
        self.assertEqual((100, 1000), limits[-1])
        self.assertEqual(200, room_for(200))
        self.assertEqual((2 * 200 + OURS, 1000), limits[-1])
        self.assertEqual((1000 - OURS) // 2, room_for(10_000))
        self.assertEqual((1000, 1000), limits[-1])
