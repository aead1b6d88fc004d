"""Endpoint strings, and https, inside a scope."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint, clientFromString, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.wire import Echo
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import readBody
from twisted.web.resource import Resource
from twisted.web.server import Site

from rserpool.core.wire import asap
from rserpool.element import PoolServerEndpoint
from rserpool.testing import Scope
from rserpool.user import stop_shared_users
from rserpool.web import PoolAgent, PoolHosts
from tests.pool_scope import Taking
from tests.web.certificates import Authority


class Hello(Resource):
    """Says hello."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"hello"


class StringTests(SynchronousTestCase):
    """Nothing but the string says where it is."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.user = self.scope.user()

    def listens(self, inner: str) -> None:
        """An element that is made by a string."""

        def setup(element: Any) -> None:
            endpoint = serverFromString(element.reactor, f"rserpool:echo:{inner}")
            endpoint.listen(Factory.forProtocol(Echo)).addCallback(ports.append)

        ports: list[Any] = []
        self.scope.element(setup=setup)
        self.scope.until(lambda: ports and ports[0].registered.called)
        self.addCleanup(lambda: self.scope.result(ports[0].stopListening()))

    def echoes(self, more: str = "") -> Any:
        """Connect by a string, and be understood."""
        self.endpoint = clientFromString(self.user.reactor, f"rserpool:echo{more}")
        protocol: Any = self.scope.result(self.endpoint.connect(Factory.forProtocol(Taking)))
        protocol.transport.write(b"hello")
        self.scope.until(lambda: protocol.received == b"hello")
        return protocol

    def test_tcp(self) -> None:
        self.listens(r"tcp\:0")
        self.echoes()

    def test_sctp(self) -> None:
        self.listens(r"sctp\:0")
        self.echoes()

    def test_idle(self) -> None:
        """Who was asked rests when nobody needs it; it answers from what it knows, while that is not stale."""
        self.listens(r"tcp\:0")
        user = clientFromString(self.user.reactor, "rserpool:echo").user
        for seconds, asks in ((0.0, True), (1.0, False), (user.profile.stale_cache_value, True)):
            self.scope.advance(seconds)
            connecting = clientFromString(self.user.reactor, "rserpool:echo").connect(Factory.forProtocol(Taking))
            self.assertEqual(asks, user.running)
            self.scope.result(connecting)
            self.scope.advance(0)
            self.assertFalse(user.running)

    def test_dropping(self) -> None:
        """It watches while there is a connection that it may have to drop."""
        self.listens(r"tcp\:0")
        endpoint = clientFromString(self.user.reactor, "rserpool:echo:drop=yes")
        protocol: Any = self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))
        self.scope.advance(60)
        self.assertTrue(endpoint.user.running)
        protocol.transport.loseConnection()
        self.scope.until(lambda: protocol.lost)
        self.scope.advance(0)
        self.assertFalse(endpoint.user.running)

    def test_reported(self) -> None:
        """What is reported while it rests reaches the registrar."""
        self.listens(r"tcp\:0")
        protocol = self.echoes()
        self.scope.advance(0)
        self.endpoint.report(protocol)
        self.assertTrue(self.endpoint.user.running)
        self.scope.until(lambda: not self.endpoint.user.running)
        self.assertEqual(1, len(self.scope.trace.messages(asap.EndpointUnreachable)))

    def test_stopped(self) -> None:
        """All of one reactor may be stopped."""
        self.listens(r"tcp\:0")
        user = clientFromString(self.user.reactor, "rserpool:echo").user
        for _ in range(2):
            self.echoes(":drop=yes")
            self.assertTrue(user.running)
            self.scope.result(stop_shared_users(self.user.reactor))
            self.assertFalse(user.running)
        self.scope.result(stop_shared_users(self.user.reactor))

    def test_taken_away(self) -> None:
        """Whoever cancels all timers of the reactor, as trial does after a test, has not stopped it for ever."""
        self.listens(r"tcp\:0")
        endpoint = clientFromString(self.user.reactor, "rserpool:echo")
        endpoint.connect(Factory.forProtocol(Taking))
        self.assertTrue(endpoint.user.running)
        endpoint.user._node._deadline._timer.cancel()
        self.echoes()
        self.scope.advance(0)
        self.assertFalse(endpoint.user.running)

    def test_https(self) -> None:
        """An agent speaks TLS with an element."""
        authority = Authority()
        options = authority.server("shop.example").options()

        def setup(element: Any) -> None:
            inner = SSL4ServerEndpoint(element.reactor, 0, options)
            endpoint = PoolServerEndpoint(element.reactor, inner, "shop", **element.reactor.lends)
            endpoint.listen(Site(Hello(), reactor=element.reactor)).addCallback(ports.append)

        ports: list[Any] = []
        self.scope.element(setup=setup)
        self.scope.until(lambda: ports and ports[0].registered.called)
        roots = trustRootFromCertificates([authority.trusted])
        agent = PoolAgent(
            self.user.service,
            PoolHosts(certificates={"shop": "shop.example"}),
            tls=lambda name: optionsForClientTLS(name, roots),
        )

        async def get() -> bytes:
            return await readBody(await agent.request(b"GET", b"https://shop/"))

        self.assertEqual(b"hello", self.scope.result(Deferred.fromCoroutine(get())))
        self.scope.result(agent.close())
        self.scope.result(ports[0].stopListening())
