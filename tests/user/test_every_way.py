"""Each request by the policy, whatever the way in: what three equal elements get of thirty or a hundred."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TcpTransport
from rserpool.names import Resolver
from rserpool.names.hostnames import getaddrinfo
from rserpool.session import Sender, Session
from rserpool.user import PoolClientEndpoint
from rserpool.web import PoolConnections
from tests.names.loopback import HOST, LoopbackCase, network_reactor
from tests.pool_scope import PoolScope, Taking
from tests.proxy.stage import ProxyCase
from tests.web.world import AgentCase

POLICIES = (
    "round-robin",
    "least-used:load=0.1",
    "least-used-degradation:load=0.1,degradation=0.01",
    "priority-least-used:load=0.1,degradation=0.01",
)


BY_ASYNCIO = """
import asyncio, sys
from rserpool.names.aio import open_connection

async def main(where):
    done = 0
    for _ in range(3):
        for reader, writer in await asyncio.gather(*(open_connection("pool", registrars=[where]) for _ in range(10))):
            done += bool(await reader.read())
            writer.close()
    print(done)

asyncio.run(main(sys.argv[1]))
"""


def unfair(shares: Counter[Any], total: int) -> str | None:
    """What is wrong with the shares of three elements: none may differ from a third by more than a third of that."""
    fair = total / 3
    wrong = len(shares) != 3 or any(abs(share - fair) > fair / 3 for share in shares.values())
    return f"{shares} of {total}" if wrong else None


class MemoryTests(SynchronousTestCase):
    """Over TCP in memory."""

    def each(self, way: Any, total: int = 99) -> None:
        for policy in POLICIES:
            self.scope = PoolScope(self)
            self.user = self.scope.client.service
            for number in (1, 2, 3):
                self.scope.member(number, policy=policy)
            self.assertIsNone(unfair(way(total), total), policy)

    def connect(self, total: int) -> Counter[Any]:
        endpoint = PoolClientEndpoint(self.user, b"pool")
        shares: Counter[Any] = Counter()
        for _ in range(total):
            self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))
            shares[endpoint.element] += 1
        return shares

    def test_endpoint(self) -> None:
        self.each(self.connect)

    def test_endpoint_at_once(self) -> None:
        """Connects that are under way at the same time."""

        def way(total: int) -> Counter[Any]:
            endpoint = PoolClientEndpoint(self.user, b"pool")
            connecting = [endpoint.connect(Factory.forProtocol(Taking)) for _ in range(total)]
            self.scope.result(gatherResults(connecting))
            return Counter({number: len(server.connections) for number, server in self.scope.servers.items()})

        self.each(way)

    def test_sender(self) -> None:
        """Single messages."""

        def way(total: int) -> Counter[Any]:
            sender = Sender(self.user)
            sent: list[Any] = [self.scope.result(sender.send("pool", b"x")) for _ in range(total)]
            return Counter(peer.element.identifier for peer in sent)

        self.each(way)

    def test_session(self) -> None:
        def way(total: int) -> Counter[Any]:
            sessions = [Session(self.user, "pool") for _ in range(total)]
            return Counter(self.scope.result(session.ready()).identifier for session in sessions)

        self.each(way, 30)

    def test_addresses(self) -> None:
        """The first address."""

        def way(total: int) -> Counter[Any]:
            return Counter(self.scope.result(getaddrinfo(self.user, "pool"))[0][4] for _ in range(total))

        self.each(way)

    def test_connections_that_stay(self) -> None:
        """They count as long as they are open: who lost none gets no new one."""
        self.scope = PoolScope(self)
        self.user = self.scope.client.service
        for number in (1, 2, 3):
            self.scope.member(number, policy="least-used:load=0.1")
        kept = self.connect_and_keep(30)
        for protocol in kept[1]:
            protocol.transport.abortConnection()
        self.scope.advance(10)
        self.assertEqual({1: 10}, Counter({n: len(held) for n, held in self.connect_and_keep(10).items() if held}))

    def connect_and_keep(self, count: int) -> dict[int, list[Any]]:
        endpoint = PoolClientEndpoint(self.user, b"pool")
        kept: dict[int, list[Any]] = {1: [], 2: [], 3: []}
        for _ in range(count):
            protocol = self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))
            assert endpoint.element is not None
            kept[endpoint.element.identifier].append(protocol)
        self._kept = [*getattr(self, "_kept", []), *kept.values()]
        return kept

    def test_unreachable_for_us(self) -> None:
        """An element that its registrar reaches and we do not costs a second a few times, and not at each connect."""
        self.scope = PoolScope(self)
        self.user = self.scope.client.service
        for number in (1, 2, 3):
            self.scope.member(number)
        client, member = (each.reactor.stack for each in (self.scope.client, self.scope.members[2]))
        self.scope.network.partition([client], [member])
        endpoint = PoolClientEndpoint(self.user, b"pool")
        slow = 0
        for _ in range(200):
            before = self.scope.now
            self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))
            slow += self.scope.now - before > 0.2
            self.scope.advance(0.5)
        self.assertLess(slow, 9)

    def test_after_a_rest(self) -> None:
        """A user that was stopped and started again, as that of endpoint strings is when it is idle, still knows whom
        it cannot reach, and which pools there were."""
        self.scope = PoolScope(self)
        user = self.user = self.scope.client.service
        for number in (1, 2):
            self.scope.member(number)
        endpoint = PoolClientEndpoint(user, b"pool")
        self.connect_and_keep_trying(endpoint)
        self.scope.close(2)
        self.connect_and_keep_trying(endpoint)
        for _ in range(3):
            self.scope.result(user.stopService())
            user.startService()
            self.scope.tried()
            self.connect_and_keep_trying(endpoint)
            self.assertNotIn(8002, self.scope.tried())
        self.scope.result(user.stopService())
        for member in self.scope.members.values():
            self.scope.result(member.stop())
        user.startService()
        waiting = endpoint.connect(Factory.forProtocol(Taking))
        self.scope.advance(20.0)
        self.assertNoResult(waiting)
        self.scope.member(3)
        self.scope.result(waiting)

    def connect_and_keep_trying(self, endpoint: PoolClientEndpoint) -> None:
        for _ in range(4):
            self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))


class LoopbackTests(LoopbackCase):
    """Programs without a reactor."""

    async def test_names(self) -> None:
        for policy in POLICIES[:2]:
            servers = [await self.server(name, policy) for name in (b"1", b"2", b"3")]
            resolver = Resolver([self.where], "fast")

            def ask(resolver: Resolver = resolver) -> Counter[Any]:
                return Counter(resolver.create_connection("pool").recv(1) for _ in range(30))

            self.assertIsNone(unfair(await self.in_thread(ask), 30), policy)
            for service in self.services:
                await service.stopService()
            self.assertEqual(30, sum(server.asked for server in servers))

    async def three(self) -> list[Any]:
        return [await self.server(name, "least-used:load=0.1") for name in (b"1", b"2", b"3")]

    async def test_asyncio(self) -> None:
        servers = await self.three()
        self.assertEqual(["30"], await self.run_program(BY_ASYNCIO))
        self.assertIsNone(unfair(Counter({server.name: server.asked for server in servers}), 30))

    async def test_string(self) -> None:
        """C{rserpool:POOL}."""
        servers = await self.three()
        endpoint: Any = clientFromString(reactor, f"rserpool:pool:registrar={self.where}:transport=tcp:profile=fast")
        for _ in range(30):
            protocol = await endpoint.connect(Factory.forProtocol(Taking))
            protocol.transport.abortConnection()
        await endpoint.user.stopService()
        self.assertIsNone(unfair(Counter({server.name: server.asked for server in servers}), 30))


class ProxyTests(ProxyCase):
    """Clients of a proxy, which watches its pool."""

    async def test_proxy(self) -> None:
        shares: Counter[Any] = Counter()
        for number in range(3):
            built = self.named(number, shares)
            port: Any = network_reactor.listenTCP(0, Factory.forProtocol(built), interface=HOST)
            self.addCleanup(port.stopListening)
            await self.register(TcpTransport(port.getHost().port, HOST), policy="least-used:load=0.1")
        proxy = await self.proxy()
        for _ in range(60):
            await self.pair(proxy)
        self.assertIsNone(unfair(shares, 60))

    def named(self, number: int, shares: Counter[Any]) -> Any:
        def build() -> Any:
            shares[number] += 1
            return self.build()

        return build


class AgentTests(AgentCase):
    """HTTP requests."""

    async def each(self, **options: Any) -> None:
        for _ in range(3):
            await self.element(policy="least-used:load=0.1")
        agent = self.new_agent(**options)
        for _ in range(30):
            await self.get(agent=agent)
        self.assertIsNone(unfair(Counter(dict(enumerate(self.requests()))), 30))
        done = await DeferredList([self._get(agent) for _ in range(30)])
        self.assertEqual([], [result for success, result in done if not success])
        self.assertIsNone(unfair(Counter(dict(enumerate(self.requests()))), 60))

    def _get(self, agent: Any) -> Any:
        return ensureDeferred(self.get(agent=agent))

    async def test_agent(self) -> None:
        await self.each()

    async def test_kept_connections(self) -> None:
        """A kept connection that is idle is no load."""
        await self.each(connections=PoolConnections(reactor))
