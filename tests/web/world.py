"""Web servers as elements of a pool: HTTP over TCP and TLS on this host, everything else in memory."""

from __future__ import annotations

from random import Random
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rserpool.core.profiles import FAST
from rserpool.element import PooledPort, PoolServerEndpoint
from rserpool.web import PoolAgent
from tests.names.loopback import HOST, LoopbackCase


class Element(Resource):
    """One web server; its answer is its number, or what its faults make of it.

    @ivar requests: the methods of the requests that came, and their bodies.
    @ivar fault: C{None}, C{"never"} (the connection is lost before an answer), C{"half"} (in its midst), C{"wait"}.
    """

    isLeaf = True
    port: Any

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.requests: list[tuple[str, bytes]] = []
        self.fault: str | None = None
        self.halves = 0
        self.connections: list[Any] = []
        self._arrived: list[Deferred[Any]] = []

    def arrival(self) -> Deferred[Any]:
        """Fires with the next request that waits for its answer."""
        arrived: Deferred[Any] = Deferred()
        self._arrived.append(arrived)
        return arrived

    async def half_way(self, *others: Element) -> None:
        """Wait until this one, or one of the others, has sent half of an answer."""
        while not any(each.halves for each in (self, *others)):
            await deferLater(reactor, 0.001)

    def render(self, request: Any) -> Any:
        self.requests.append((request.method.decode(), request.content.read()))
        if self.fault == "never":
            request.transport.abortConnection()
        elif self.fault == "half":
            request.setHeader(b"Content-Length", b"100")
            request.write(b"half")
            self.halves += 1
        elif self.fault == "wait":
            for arrived in self._arrived:
                arrived.callback(request)
            self._arrived.clear()
        else:
            return str(self.number).encode()
        return NOT_DONE_YET

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(each.connected for each in self.connections)

    def abort(self) -> None:
        """All connections are lost."""
        for each in self.connections:
            if each.connected:
                each.abortConnection()


class Server(WrappingFactory):
    """Tells its element of its connections."""

    noisy = False

    def __init__(self, element: Element) -> None:
        super().__init__(Site(element))
        self._element = element

    def registerProtocol(self, protocol: Any) -> None:
        self._element.connections.append(protocol)

    def unregisterProtocol(self, protocol: Any) -> None:
        protocol.connected = 0


class WebCase(LoopbackCase):
    """A registrar, a user, and as many elements as a test wants."""

    def setUp(self) -> None:
        super().setUp()
        self.user = self.new_user()
        self.user.startService()
        self.addCleanup(self.user.stopService)
        self.elements: list[Element] = []
        self._stacks: dict[Element, Any] = {}

    async def element(
        self,
        pool: bytes | str = "pool",
        certificate: PrivateCertificate | None = None,
        grace: float = 0,
        **options: Any,
    ) -> Element:
        """Another web server in a pool, which is registered."""
        element = Element(len(self.elements) + 1)
        self.elements.append(element)
        stack = self._stacks[element] = self.network.stack(HOST)
        inner: Any = TCP4ServerEndpoint(reactor, 0, interface=HOST)
        if certificate is not None:
            inner = SSL4ServerEndpoint(reactor, 0, certificate.options(), interface=HOST)
        endpoint = PoolServerEndpoint(
            reactor,
            inner,
            pool,
            stack=stack,
            registrars=[self.asap],
            random=Random(element.number),
            identifier=element.number,
            profile=FAST,
            grace=grace,
            **options,
        )
        element.port = await endpoint.listen(Server(element))
        self.addCleanup(self._stop, element)
        await element.port.registered
        return element

    async def two_elements(self) -> list[Element]:
        """Two of them, in the pool C{pool}."""
        return [await self.element(), await self.element()]

    async def _stop(self, element: Element) -> None:
        port: PooledPort = element.port
        if element in self._stacks:
            await port.stopListening()
        element.abort()

    async def kill(self, element: Element) -> None:
        """Kill a web server: nobody says goodbye."""
        port: Any = element.port
        self.network.crash(self._stacks.pop(element))
        port.element.node.stop()
        await maybeDeferred(port._inner.stopListening)
        element.abort()

    def requests(self) -> list[int]:
        """How many requests came to each element."""
        return [len(element.requests) for element in self.elements]


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
