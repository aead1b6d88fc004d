"""Persistent connections to the elements of a pool, and how they end."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
)

from rserpool.web import PoolConnections
from tests.web.certificates import Authority
from tests.web.world import AgentCase, Element


class Reading(Protocol):
    """A client that reads, and does not hang up."""

    def __init__(self) -> None:
        self.read: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        if not self.read.called:
            self.read.callback(data)


class ConnectionTests(AgentCase):
    """Persistent connections."""

    def setUp(self) -> None:
        super().setUp()
        self.connections = PoolConnections(reactor)
        self.agent = self.new_agent(connections=self.connections)

    async def test_policy(self) -> None:
        """The policy chooses for each request; connections are used again."""
        await self.two_elements()
        self.assertEqual([1, 1, 1, 2, 2, 2], sorted([await self.get() for _ in range(6)]))
        self.assertEqual([1, 1], [len(element.connections) for element in self.elements])

    async def test_ordinary_connections(self) -> None:
        """Twisted's own kind stays with the element that it has."""
        await self.two_elements()
        agent = self.new_agent(connections=HTTPConnectionPool(reactor))
        self.assertEqual(1, len({await self.get(agent=agent) for _ in range(4)}))

    async def test_pools_apart(self) -> None:
        """Neither another pool nor an ordinary host of the same name gets the connection."""
        await self.element()
        await self.element("other")
        self.assertEqual([1, 2, 1, 2], [await self.get(f"http://{pool}/") for pool in ("pool", "other") * 2])
        port = self.elements[1].port.getHost().port
        ordinary = Agent(reactor, pool=self.connections)
        self.assertEqual(2, await self.get(f"http://127.0.0.1:{port}/", agent=ordinary))
        self.assertEqual([1, 2], [len(element.connections) for element in self.elements])

    async def test_closed_meanwhile(self) -> None:
        """A server closes idle connections: requests go on, and it is not blamed."""
        element = await self.element()
        for method in ("GET", "PUT", "POST", "GET"):
            self.assertEqual(1, await self.get(method=method, data=b"body" if method != "GET" else None))
            element.abort()
            while self.agent.endpoints._endpoints[b"pool"]._connections.open:
                await deferLater(reactor, 0.001)
        self.assertEqual(4, len(element.connections))
        self.assertEqual(4, len(element.requests))

    async def test_closed_just_now(self) -> None:
        """Or closes it as the request comes: it is repeated over a new connection."""
        element = await self.element()
        await self.get()
        element.fault = "never"
        render = element.render

        def rendered(request: Any) -> Any:
            result = render(request)
            element.fault = None
            return result

        element.render = rendered  # type: ignore[method-assign]
        self.assertEqual(1, await self.get(method="PUT", data=b"body"))
        self.assertEqual([("GET", b""), ("PUT", b"body"), ("PUT", b"body")], element.requests)

    async def test_removed(self) -> None:
        """An element leaves the pool: its idle connection is dropped."""
        element = await self.element()
        other = await self.element()
        for _ in range(2):
            await self.get()
        self.assertEqual([1, 1], [element.open, other.open])
        element.port.element.leave("pool")
        while element.open:
            await deferLater(reactor, 0.01)
        self.assertEqual(1, other.open)

    async def test_removed_and_busy(self) -> None:
        """One that is in use may finish."""
        element = await self.element()
        element.fault = "wait"
        arrival = element.arrival()
        asking = Deferred.fromCoroutine(self.get())
        request = await arrival
        element.port.element.leave("pool")
        gone: Deferred[None] = Deferred()
        self.user.subscribe("pool", lambda change: None if change.elements or gone.called else gone.callback(None))
        await gone
        request.write(b"1")
        request.finish()
        self.assertEqual(1, await asking)
        while element.open:
            await deferLater(reactor, 0.01)

    async def frozen(self) -> Element:
        """An element with a connection that is kept; it accepts more, answers nothing, and its registrar notices."""
        element = await self.element()
        await self.get()
        element.fault = "wait"
        self.network.crash(self._stacks[element])
        element.port.element.node.stop()
        return element

    async def test_frozen(self) -> None:
        """A request over a connection that was kept goes to another element, and not to the frozen one again."""
        self.agent = self.new_agent(connections=self.connections, grace=0.1)
        frozen = await self.frozen()
        asking = Deferred.fromCoroutine(self.get())
        await frozen.arrival()
        await self.element()
        self.assertEqual(2, await asking)
        self.assertEqual(1, len(frozen.connections))

    async def test_frozen_and_repeated_by_twisted(self) -> None:
        """What Twisted's own agent repeats goes where the policy says, too."""
        frozen = await self.frozen()
        endpoints = self.new_agent(grace=0.1).endpoints
        agent = Agent.usingEndpointFactory(reactor, endpoints, self.connections)
        asking = Deferred.fromCoroutine(self.get(agent=agent))
        await frozen.arrival()
        await self.element()
        self.assertEqual(2, await asking)

    async def test_deadline(self) -> None:
        """An element that never answers, and lives: the request fails when it is time."""
        element = await self.element()
        element.fault = "wait"
        with self.assertRaisesRegex(TimeoutError, "no answer within 0.1 s"):
            await self.get(agent=self.new_agent(connections=self.connections, deadline=0.1))


class DrainTests(AgentCase):
    """A web server leaves its pool."""

    async def test_drained(self) -> None:
        """A request that is under way is answered; what comes then goes to another."""
        element = await self.element(grace=5)
        element.fault = "wait"
        arrival = element.arrival()
        asking = Deferred.fromCoroutine(self.get())
        request = await arrival
        await self.element()
        stopping = element.port.stopListening()
        while len((await self.user.resolve("pool", fresh=True)).elements) > 1:
            pass
        self.assertFalse(stopping.called)
        self.assertEqual(2, await self.get())
        request.write(b"1")
        request.finish()
        self.assertEqual(1, await asking)
        await stopping

    async def test_idle(self) -> None:
        """A connection that somebody keeps and does not use costs no grace, with TLS or without."""
        authority = Authority()
        for certificate in (None, authority.server("element.example")):
            element = await self.element(grace=60, certificate=certificate)
            client: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", element.port.getHost().port)
            if certificate is not None:
                roots = trustRootFromCertificates([authority.trusted])
                client = wrapClientTLS(optionsForClientTLS("element.example", roots), client)
            reading = await connectProtocol(client, Reading())
            reading.transport.write(b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n")
            self.assertIn(b"200 OK", await reading.read)
            await element.port.stopListening().addTimeout(10, reactor)

    async def test_idle_after_an_answer(self) -> None:
        """So does one whose request was under way."""
        element = await self.element(grace=60)
        element.fault = "wait"
        arrival = element.arrival()
        kept = HTTPConnectionPool(reactor)
        self.addCleanup(kept.closeCachedConnections)
        agent = Agent(reactor, pool=kept)
        asking = Deferred.fromCoroutine(self.get(f"http://127.0.0.1:{element.port.getHost().port}/", agent=agent))
        request = await arrival
        stopping = element.port.stopListening()
        await deferLater(reactor, 0.7)
        self.assertFalse(stopping.called)
        request.write(b"1")
        request.finish()
        self.assertEqual(1, await asking)
        await stopping.addTimeout(10, reactor)
