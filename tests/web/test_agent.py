"""HTTP over pools: real HTTP and TLS on this host, a real registrar, SCTP in memory."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.web.client import (
    Agent,
    FileBodyProducer,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rserpool.core import ConfigurationError, UnknownPool
from rserpool.web import PoolAgent, PoolEndpointFactory, PoolHosts, host_of
from tests.web.certificates import Authority
from tests.web.world import AgentCase


class HostTests(AgentCase):
    """Which pool a URL names."""

    async def test_policy(self) -> None:
        """Each request goes where the policy says."""
        await self.two_elements()
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


class RetryTests(AgentCase):
    """Elements that fail."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()

    async def two(self, fault: str | None = "never") -> None:
        """Two elements; the one that gets the first request has a fault."""
        first, second = await self.two_elements()
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
        await self.two_elements()
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
        await self.two_elements()
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
        await self.two_elements()
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


async def first_of(waiting: list[Deferred[Any]]) -> Any:
    """The first of them that fires."""
    first: Deferred[Any] = Deferred()
    for each in waiting:
        each.addCallback(lambda result: None if first.called else first.callback(result))
    return await first
