"""A scope in memory: everybody starts, dies and comes back; users are served over TCP and SCTP."""

from __future__ import annotations

import functools
from typing import Any

from twisted.application.internet import ClientService, StreamServerEndpointService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PROFILES, NoElement, NoRegistrar, Rejected, UnknownPool
from rserpool.sctp import SctpServerEndpoint
from rserpool.testing import ElementProcess, Scope
from tests.pool_scope import Taking


class Greeter(Protocol):
    """Says who it is, and echoes."""

    def connectionMade(self) -> None:
        self.transport.write(self.factory.name)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


def greeter(name: str) -> Any:
    """A factory of greeters."""
    factory: Any = Factory.forProtocol(Greeter)
    factory.name = name.encode()
    return factory


def greets(element: ElementProcess, **options: Any) -> None:
    """Serve in the pool by name."""
    element.serve("pool", greeter(element.name), **options)


class ScopeTests(SynchronousTestCase):
    """Registrars, elements and users."""

    def scope(self, registrars: int = 1, **options: Any) -> Scope:
        scope = Scope(registrars, **options)
        self.addCleanup(scope.stop)
        return scope

    def test_settles(self) -> None:
        """Three registrars know both elements; a dead element and a dead registrar are forgotten; both come back."""
        scope = self.scope(3)
        r1, r2, r3 = scope.registrars
        e1, e2 = scope.element("pool"), scope.element("pool")
        scope.settle()
        for registrar in (r1, r2, r3):
            self.assertEqual({e1.identifier("pool"), e2.identifier("pool")}, set(registrar.elements("pool")))
        scope.kill(e1, r1)
        self.assertFalse(scope.settled)
        scope.settle()
        for registrar in (r2, r3):
            self.assertEqual([e2.identifier("pool")], list(registrar.elements("pool")))
        scope.restart(e1, r1)
        scope.settle()
        self.assertEqual({e1.identifier("pool"), e2.identifier("pool")}, set(r1.elements("pool")))

    def test_same_seed(self) -> None:
        """The same seed gives the same run, another one another."""

        def run(seed: int) -> tuple[Any, ...]:
            scope = self.scope(2, seed=seed)
            elements = [scope.element("pool") for _ in range(3)]
            scope.settle()
            return tuple(element.identifier("pool") for element in elements), scope.now

        self.assertEqual(run(1), run(1))
        self.assertNotEqual(run(1), run(2))

    def test_any_clock(self) -> None:
        """On twisted's own clock, with other timers."""
        clock = Clock()
        scope = self.scope(clock=clock, profile=PROFILES["fast"])
        scope.element("pool")
        scope.settle()
        self.assertEqual(clock.seconds(), scope.now)

    def serves(self, protocol: str) -> None:
        """The element that serves is killed until there is none."""
        scope = self.scope()
        names = {}
        for _ in range(3):
            element = scope.element(setup=lambda element: greets(element, protocol=protocol))
            names[element.name.encode()] = element
        user = scope.user()
        scope.settle()
        endpoint = user.endpoint("pool", timeout=5.0)
        while names:
            client = self.greeted(scope, endpoint)
            scope.kill(names.pop(client.received[:-1]))
            scope.until(functools.partial(getattr, client, "lost"))
        with self.assertRaises(NoElement):
            scope.result(endpoint.connect(Factory.forProtocol(Taking)))

    @staticmethod
    def greeted(scope: Scope, endpoint: Any) -> Taking:
        """A client that has its answer."""
        client: Taking = scope.result(endpoint.connect(Factory.forProtocol(Taking)))
        client.transport.write(b"!")  # type: ignore[union-attr]
        scope.until(lambda: client.received.endswith(b"!"))
        return client

    def test_served_over_tcp(self) -> None:
        """A user is served over TCP; the element that serves is killed; another one serves."""
        self.serves("tcp")

    def test_served_over_sctp(self) -> None:
        """The same over SCTP."""
        self.serves("sctp")

    def test_client_service(self) -> None:
        """C{ClientService} finds its way back to an element that was started again."""
        scope = self.scope()
        element = scope.element(setup=greets)
        user = scope.user(transport="tcp")
        scope.settle()
        service = ClientService(user.endpoint("pool"), Factory.forProtocol(Taking), clock=user.reactor)
        service.startService()
        first: Any = scope.result(service.whenConnected())
        scope.restart(element)
        scope.until(lambda: first.lost is not None)
        second: Any = scope.result(service.whenConnected())
        scope.until(lambda: second.received == b"e1")
        scope.result(service.stopService() or Deferred())

    def test_pooled(self) -> None:
        """Twisted services that open a port, over TCP and SCTP, as C{twistd rserpool-pe} runs them."""
        scope = self.scope()

        def over_tcp(element: ElementProcess) -> None:
            endpoint = TCP4ServerEndpoint(element.reactor, 0)
            element.run(StreamServerEndpointService(endpoint, greeter("tcp")), "pool")

        def over_sctp(element: ElementProcess) -> None:
            endpoint = SctpServerEndpoint(element.reactor, 0, stack=element.stack)
            element.run(StreamServerEndpointService(endpoint, greeter("sctp")), "sctp pool")

        elements = [scope.element(setup=over_tcp), scope.element(setup=over_sctp)]
        user = scope.user()
        scope.settle()
        for pool, name in (("pool", b"tcp!"), ("sctp pool", b"sctp!")):
            self.assertEqual(name, self.greeted(scope, user.endpoint(pool)).received)
        scope.restart(*elements)
        scope.settle()
        for element in elements:
            scope.result(element.stop())
        self.assertTrue(scope.settled)

    def test_partition(self) -> None:
        """Users that are cut off get no answer; after L{Scope.heal} they do."""
        scope = self.scope()
        element = scope.element("pool", port=80)
        user = scope.user()
        scope.settle()
        scope.partition([user])
        with self.assertRaises(NoRegistrar):
            scope.result(user.service.resolve("pool", timeout=5.0))
        scope.heal()
        resolved = scope.result(user.service.resolve("pool"))
        self.assertEqual([element.identifier("pool")], [each.identifier for each in resolved.elements])
        with self.assertRaises(UnknownPool):
            scope.result(user.service.resolve("other"))

    def test_silent_element(self) -> None:
        """An element that falls silent is removed; when it is back it registers again."""
        scope = self.scope()
        element = scope.element("pool")
        scope.settle()
        scope.silence(element)
        scope.until(lambda: not scope.registrars[0].elements("pool"))
        scope.unsilence(element)
        scope.settle()

    def test_graceful(self) -> None:
        """An element that stops deregisters."""
        scope = self.scope()
        element = scope.element("pool")
        scope.settle()
        scope.result(element.stop())
        self.assertFalse(element.alive)
        self.assertTrue(scope.settled)
        with self.assertRaises(RuntimeError):
            scope.registrars[0].start()

    def test_what_is_wrong(self) -> None:
        """What does not settle says who knows what; a refused registration is told."""
        scope = self.scope(2)
        scope.element("pool")
        scope.settle()
        scope.partition([scope.registrars[0]], [scope.registrars[1]])
        scope.element("pool")
        with self.assertRaisesRegex(AssertionError, "within 1 s: e1 serves; e2 serves; r1 knows . ?; r2 knows"):
            scope.settle(1.0)
        scope.heal()
        scope.settle()
        scope.element("pool", policy="random")
        with self.assertRaises(Rejected):
            scope.settle()
