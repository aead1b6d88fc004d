"""HTTP over pools: real HTTP and TLS on this host, a real registrar, SCTP in memory."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import deferLater
from twisted.web.client import (
    Agent,
    FileBodyProducer,
    HTTPConnectionPool,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rserpool.core import ConfigurationError, NoElement, UnknownPool
from rserpool.web import PoolAgent, PoolConnections, PoolEndpointFactory, PoolHosts, host_of
from tests.web.certificates import Authority
from tests.web.world import WebCase


class AgentCase(WebCase):
    """With an agent."""

    def setUp(self) -> None:
        super().setUp()
        self.agent = self.new_agent()

    def new_agent(self, *args: Any, **options: Any) -> PoolAgent:
        options.setdefault("attempt", 10)
        agent = PoolAgent(self.user, *args, **options)
        self.addCleanup(agent.close)
        return agent

    async def get(self, url: str = "http://pool/", agent: Any = None, method: str = "GET", **options: Any) -> int:
        """The number of the element that answered."""
        response = await treq.request(method, url, agent=agent or self.agent, **options)
        self.assertEqual(200, response.code)
        return int(await response.content())

    async def fails(self, waiting: Any, *errors: type[Exception]) -> Exception:
        try:
            await waiting
        except errors as error:
            return error
        raise AssertionError("it did not fail")


class HostTests(AgentCase):
    """Which pool a URL names."""

    async def test_policy(self) -> None:
        """Each request goes where the policy says."""
        await self.element()
        await self.element()
        self.assertEqual([1, 1, 2, 2], sorted([await self.get() for _ in range(4)]))

    async def test_interfaces(self) -> None:
        """What C{twisted.web} asks for."""
        verifyObject(IAgent, self.agent)
        verifyObject(IAgentEndpointFactory, self.agent.endpoints)

    async def test_ordinary_agent(self) -> None:
        """Twisted's own agent takes the endpoints."""
        await self.element()
        agent = Agent.usingEndpointFactory(reactor, PoolEndpointFactory(self.user))
        self.assertEqual(1, await self.get(agent=agent))

    async def test_any_handle(self) -> None:
        """Handles that are no host names, by their escapes; treq checks and folds them."""
        for handle in ("My Pool", b"\xff\x00/"):
            element = await self.element(handle)
            self.assertEqual(element.number, await self.get(f"http://{host_of(handle).upper()}/path?query"))

    async def test_table(self) -> None:
        """And by the table of hosts."""
        await self.element("My Pool")
        agent = self.new_agent(PoolHosts({"pool.example": "My Pool"}))
        self.assertEqual(1, await self.get("http://Pool.Example/", agent=agent))

    async def test_no_pool(self) -> None:
        """Names of pools that do not exist, addresses, ports, other schemes."""
        error = await self.fails(self.get("http://nobody/"), UnknownPool)
        self.assertIn("nobody", str(error))
        for url, part in (("http://127.0.0.1/", "IP address"), ("http://pool:8080/", "port")):
            self.assertIn(part, str(await self.fails(self.get(url), ConfigurationError)))
        await self.fails(self.agent.request(b"GET", b"ftp://pool/"), SchemeNotSupported)


class TlsTests(AgentCase):
    """https."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        self.tls = partial(optionsForClientTLS, trustRoot=self.authority.trusted)

    def agent_for(self, name: str | None) -> PoolAgent:
        return self.new_agent(PoolHosts(certificates={} if name is None else {"pool": name}), tls=self.tls)

    async def test_right_name(self) -> None:
        """The certificate bears the name that the configuration gives, which is not that of the pool."""
        await self.element(certificate=self.authority.server("shop.example"))
        self.assertEqual(1, await self.get("https://pool/", agent=self.agent_for("shop.example")))

    async def test_wrong_name(self) -> None:
        """Another name, that of the pool included, is refused; the element is not reported for that."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        for name in ("pool", "other.example"):
            error = await self.fails(self.get("https://pool/", agent=self.agent_for(name)), NoElement)
            self.assertIn(f"its certificate is not one for {name}", str(error))
        self.assertEqual([], element.requests)
        self.assertEqual(1, await self.get("https://pool/", agent=self.agent_for("shop.example")))

    async def test_one_wrong(self) -> None:
        """An element with a wrong certificate is passed over, whatever the method."""
        await self.element(certificate=self.authority.server("wrong.example"))
        await self.element(certificate=self.authority.server("shop.example"))
        agent = self.agent_for("shop.example")
        for method in ("GET", "POST", "GET", "POST"):
            self.assertEqual(2, await self.get("https://pool/", agent=agent, method=method))
        self.assertEqual([0, 4], self.requests())

    async def test_stranger(self) -> None:
        """So is one that an unknown authority signed."""
        await self.element(certificate=Authority("a stranger").server("shop.example"))
        error = await self.fails(self.get("https://pool/", agent=self.agent_for("shop.example")), NoElement)
        self.assertIn("TLS for shop.example failed: certificate verify failed", str(error))

    async def test_no_name(self) -> None:
        """Without a name in the configuration there is no https."""
        await self.element(certificate=self.authority.server("pool"))
        error = await self.fails(self.get("https://pool/", agent=self.agent_for(None)), ConfigurationError)
        self.assertIn("PoolHosts", str(error))

    async def test_persistent(self) -> None:
        """Connections with TLS are used again, by requests that check the same name."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        hosts = PoolHosts({"pool": "pool", "same": "pool"}, certificate="shop.example")
        agent = self.new_agent(hosts, tls=self.tls, connections=PoolConnections(reactor))
        for url in ("https://pool/", "https://same/", "https://pool/"):
            self.assertEqual(1, await self.get(url, agent=agent))
        self.assertEqual(1, len(element.connections))

    async def test_other_certificate(self) -> None:
        """A connection is lost just as a request comes, and the next one shows another certificate."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        names = ["shop.example", "other.example", "other.example"]
        agent = self.new_agent(
            PoolHosts(certificate="a name"),
            tls=lambda name: self.tls(names.pop(0)),
            connections=PoolConnections(reactor),
        )
        self.assertEqual(1, await self.get("https://pool/", agent=agent))
        element.fault = "never"
        await self.fails(self.get("https://pool/", agent=agent), NoElement)

    async def test_bad_name(self) -> None:
        """A name that is none is a mistake in the configuration."""
        await self.element()
        error = await self.fails(self.get("https://pool/", agent=self.agent_for("a..b")), ConfigurationError)
        self.assertIn("a..b", str(error))

    async def test_closed(self) -> None:
        """An element that closes in the midst of the handshake failed."""
        element = await self.element()

        class Closing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.loseConnection()

        element.port._factory.buildProtocol = lambda address: Closing()
        error = await self.fails(
            self.get("https://pool/", agent=self.new_agent(PoolHosts(certificate="a.example"), timeout=0.2)), NoElement
        )
        self.assertIn("in the midst of the TLS handshake", str(error))

    async def test_removed(self) -> None:
        """Connections with TLS are dropped when their element leaves."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        hosts = PoolHosts(certificate="shop.example")
        agent = self.new_agent(hosts, tls=self.tls, connections=PoolConnections(reactor))
        await self.get("https://pool/", agent=agent)
        element.port.element.leave("pool")
        while element.open:
            await deferLater(reactor, 0.01)

    async def test_silent(self) -> None:
        """A handshake that goes on for too long is one that failed."""
        element = await self.element()
        element.port._factory.buildProtocol = lambda address: Protocol()
        agent = self.new_agent(PoolHosts(certificate="shop.example"), tls=self.tls, attempt=0.05, timeout=0.3)
        error = await self.fails(self.get("https://pool/", agent=agent), NoElement)
        self.assertIn("no answer within 0.0", str(error))


class RetryTests(AgentCase):
    """Elements that fail."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()

    async def two(self, fault: str | None = "never") -> None:
        """Two elements; the one that gets the first request has a fault."""
        for _ in range(2):
            await self.element()
        first, second = self.elements
        for element, other in ((first, second), (second, first)):
            element.fault = fault
            self.mend_when_asked(element, other)

    @staticmethod
    def mend_when_asked(element: Any, other: Any) -> None:
        """Whoever is asked second is sound."""
        render = element.render

        def rendered(request: Any) -> Any:
            other.fault = None
            return render(request)

        element.render = rendered

    async def test_idempotent(self) -> None:
        """A request with an idempotent method goes to another element; with its body."""
        for method, body in (("GET", b""), ("HEAD", b""), ("OPTIONS", b""), ("DELETE", b""), ("PUT", b"new")):
            self.elements.clear()
            pool = f"pool-{method.lower()}"
            for _ in range(2):
                await self.element(pool)
            first, second = self.elements
            first.fault = second.fault = "never"
            for element, other in ((first, second), (second, first)):
                self.mend_when_asked(element, other)
            response = await treq.request(method, f"http://{pool}/", agent=self.agent, data=body or None)
            self.assertEqual(200, response.code)
            self.assertEqual([[(method, body)], [(method, body)]], [element.requests for element in self.elements])

    async def test_not_idempotent(self) -> None:
        """A POST is not sent twice."""
        await self.two()
        error = await self.fails(self.get(method="POST", data=b"order"), ResponseFailed)
        self.assertIsInstance(error, ResponseNeverReceived)
        self.assertEqual([0, 1], sorted(self.requests()))

    async def test_not_sent(self) -> None:
        """But it is sent to another if the first did not even accept."""
        await self.element()
        await self.element()
        for _ in self.elements:
            await self.get()
        await self.kill(self.elements[0])
        for _ in range(4):
            self.assertEqual(2, await self.get(method="POST"))

    async def test_reported(self) -> None:
        """An element that failed is tried last for a while."""
        await self.two()
        answered = await self.get()
        self.assertEqual([1, 1], self.requests())
        for _ in range(4):
            self.assertEqual(answered, await self.get())

    async def test_attempts(self) -> None:
        """A request that every element dies of does not go to all of them."""
        for _ in range(5):
            (await self.element()).fault = "never"
        await self.fails(self.get(), ResponseNeverReceived)
        self.assertEqual([0, 0, 1, 1, 1], sorted(self.requests()))
        await self.fails(self.get(agent=self.new_agent(attempts=1)), ResponseNeverReceived)
        self.assertEqual(4, sum(self.requests()))

    async def test_unrepeatable_body(self) -> None:
        """A body that is too long to be kept, or of unknown length, is sent once."""

        @implementer(IBodyProducer)
        class Unknown:
            length = UNKNOWN_LENGTH

            def startProducing(self, consumer: Any) -> Deferred[None]:
                consumer.write(b"body")
                return succeed(None)

            def stopProducing(self) -> None:
                """All is written."""

            pauseProducing = resumeProducing = stopProducing

        await self.two()
        agent = self.new_agent(longest_kept=3)
        for body in (Unknown(), FileBodyProducer(BytesIO(b"body"))):
            before = sum(self.requests())
            for element in self.elements:
                element.fault = "never"
            await self.fails(agent.request(b"PUT", b"http://pool/", None, body), ResponseFailed)
            self.assertEqual(before + 1, sum(self.requests()))

    async def killed_in_the_midst(self, method: bytes, agent: PoolAgent) -> Any:
        """Ask, kill the element that answers when half of the answer is here, and read on."""
        await self.element()
        await self.element()
        for element in self.elements:
            element.fault = "half"
        asking = agent.request(method, b"http://pool/")
        await self.elements[0].half_way(*self.elements[1:])
        killed = next(element for element in self.elements if element.requests)
        for element in self.elements:
            element.fault = None
        await self.kill(killed)
        try:
            answer = await readBody(await asking)
            self.assertEqual(3 - killed.number, int(answer))
        finally:
            for _ in range(3):
                self.assertEqual(3 - killed.number, await self.get())

    async def test_killed_in_the_midst(self) -> None:
        """An element is killed in the midst of its short answer: another one gives the whole answer."""
        await self.killed_in_the_midst(b"GET", self.agent)

    async def test_killed_in_the_midst_of_much(self) -> None:
        """If the answer is handed out already, the reader is told; the next request goes to another."""
        await self.fails(self.killed_in_the_midst(b"GET", self.new_agent(read_ahead=99)), ResponseFailed)

    async def test_killed_in_the_midst_of_a_post(self) -> None:
        """Likewise if the request must not be repeated."""
        await self.fails(self.killed_in_the_midst(b"POST", self.agent), ResponseFailed)

    async def test_cancelled(self) -> None:
        """A request that is cancelled is not repeated, and nobody is reported."""
        await self.element()
        await self.element()
        for element in self.elements:
            element.fault = "wait"
        arrivals = [element.arrival() for element in self.elements]
        asking = self.agent.request(b"GET", b"http://pool/")
        await Deferred.fromCoroutine(first_of(arrivals))
        asking.cancel()
        error: Any = await self.fails(asking, ResponseNeverReceived)
        self.assertTrue(error.reasons[0].check(CancelledError))
        self.assertEqual(1, sum(self.requests()))

    async def test_other_errors(self) -> None:
        """What has nothing to do with elements is not repeated."""

        @implementer(IBodyProducer)
        class Broken:
            length = 4

            def startProducing(self, consumer: Any) -> Deferred[None]:
                return fail(OSError("the disk is gone"))

            def stopProducing(self) -> None:
                """Nothing is produced."""

            pauseProducing = resumeProducing = stopProducing

        await self.element()
        await self.fails(self.agent.request(b"PUT", b"http://pool/", None, Broken()), OSError)
        await self.fails(self.agent.request(b"GE T", b"http://pool/"), ValueError)
        await self.fails(self.agent.request(b"GET", b"http://po ol/"), ValueError)


class ConnectionTests(AgentCase):
    """Persistent connections."""

    def setUp(self) -> None:
        super().setUp()
        self.connections = PoolConnections(reactor)
        self.agent = self.new_agent(connections=self.connections)

    async def test_policy(self) -> None:
        """The policy chooses for each request; connections are used again."""
        await self.element()
        await self.element()
        self.assertEqual([1, 1, 1, 2, 2, 2], sorted([await self.get() for _ in range(6)]))
        self.assertEqual([1, 1], [len(element.connections) for element in self.elements])

    async def test_ordinary_connections(self) -> None:
        """Twisted's own kind stays with the element that it has."""
        await self.element()
        await self.element()
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


async def first_of(waiting: list[Deferred[Any]]) -> Any:
    """The first of them that fires."""
    first: Deferred[Any] = Deferred()
    for each in waiting:
        each.addCallback(lambda result: None if first.called else first.callback(result))
    return await first
