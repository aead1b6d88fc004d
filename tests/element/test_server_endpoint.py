"""The server endpoint of a pool: a real registrar, SCTP in memory, TCP by hand."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.wire import Echo
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rserpool.core import (
    ConfigurationError,
    PoolElementParameter,
    SctpTransport,
    TcpTransport,
    TransportAddress,
    UnknownPool,
)
from rserpool.core.policies import parse
from rserpool.core.profiles import FAST
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL
from rserpool.element import PooledPort, PoolServerEndpoint
from rserpool.sctp import SctpServerEndpoint
from rserpool.user import PoolClientEndpoint
from tests.node.world import Reactor, World

HOST = "10.0.1.1"


@implementer(IListeningPort)
class Port:
    """A port of the world outside."""

    def __init__(self, address: Any) -> None:
        self.address = address
        self.open = True

    def getHost(self) -> Any:
        return self.address

    def startListening(self) -> None:
        self.open = True

    def stopListening(self) -> None:
        self.open = False


class Connection(StringTransport):
    """A connection of the world outside, to a port."""

    server: Port


@implementer(IStreamServerEndpoint)
class Inner:
    """An endpoint of the world outside; C{arrive} is a client that connects."""

    factory: Any

    def __init__(self, reactor: Reactor, address: Any) -> None:
        self.port = Port(address)
        self._reactor = reactor

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        self.factory = protocolFactory
        return succeed(self.port)

    def arrive(self) -> Any:
        connection = Connection()
        connection.server = self.port
        self._reactor.addReader(connection)
        self.factory.buildProtocol(None).makeConnection(connection)
        return connection


class ServerEndpointCase(SynchronousTestCase):
    """A world with one registrar, and a host where somebody listens."""

    def setUp(self) -> None:
        self.world = World()
        self.world.user.startService()
        self.stack = self.world.network.stack(HOST, encapsulation=9898)

    def endpoint(self, inner: Any, **options: Any) -> PoolServerEndpoint:
        for name, value in {"registrars": self.world.addresses, "stack": self.stack, "hosts": (HOST,)}.items():
            options.setdefault(name, value)
        return PoolServerEndpoint(self.world.reactor, inner, "pool", random=Random(9), **options)

    def inner(self, host: str = "0.0.0.0", port: int = 8001) -> Inner:  # noqa: S104
        return Inner(self.world.reactor, IPv4Address("TCP", host, port))

    def listen(self, endpoint: PoolServerEndpoint, factory: Any = None) -> PooledPort:
        """Listening is done at once; then time passes until it is registered."""
        port: Any = self.successResultOf(endpoint.listen(factory or Factory.forProtocol(Echo)))
        self.world.run(1)
        return port

    def elements(self) -> tuple[PoolElementParameter, ...]:
        try:
            return self.world.result(self.world.user.resolve(b"pool", fresh=True)).elements
        except UnknownPool:
            return ()


class PortTests(ServerEndpointCase):
    """Who listens is an element."""

    def test_registered(self) -> None:
        """With policy, identifier and life."""
        inner = self.inner()
        policy = parse("weighted-round-robin:weight=5")
        port = self.listen(self.endpoint(inner, policy="weighted-round-robin:weight=5", identifier=7, life=60))
        self.assertEqual(7, self.successResultOf(port.registered))
        self.assertEqual(inner.port.address, port.getHost())
        (element,) = self.elements()
        self.assertEqual((7, 60, TcpTransport(8001, HOST)), (element.identifier, element.life, element.user_transport))
        self.assertEqual((policy.policy.number, policy.data), (element.policy.type, element.policy.data))

    def test_factory(self) -> None:
        """The factory is used as it is."""
        inner, factory = self.inner(), Factory.forProtocol(Echo)
        self.listen(self.endpoint(inner), factory)
        self.assertIs(factory, inner.factory)

    def test_stopped(self) -> None:
        """It leaves the pool, and then the port is closed; asking twice is no mistake."""
        inner = self.inner()
        port = self.listen(self.endpoint(inner))
        stopped = [port.stopListening(), port.stopListening()]
        self.assertTrue(inner.port.open)
        for each in stopped:
            self.world.result(each)
        self.assertFalse(inner.port.open)
        self.assertEqual((), self.elements())
        with self.assertRaises(RuntimeError):
            port.element  # noqa: B018

    def test_again(self) -> None:
        """And it can be opened again."""
        inner = self.inner()
        port = self.listen(self.endpoint(inner, identifier=3))
        self.world.result(port.stopListening())
        port.startListening()
        self.world.run(1)
        self.assertTrue(inner.port.open)
        self.assertEqual(3, self.successResultOf(port.registered))
        self.assertEqual(1, len(self.elements()))

    def test_drained(self) -> None:
        """Connections may end before the port is closed."""
        inner = self.inner()
        port = self.listen(self.endpoint(inner))
        connection = inner.arrive()
        stopped = port.stopListening()
        self.world.run(3)
        self.assertEqual((), self.elements())
        self.assertNoResult(stopped)
        self.world.reactor.removeReader(connection)
        self.world.run(0.1)
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """But not for ever."""
        inner = self.inner()
        port = self.listen(self.endpoint(inner, grace=2))
        inner.arrive()
        stopped = port.stopListening()
        self.world.run(1)
        self.assertTrue(inner.port.open)
        self.world.run(2)
        self.successResultOf(stopped)
        self.assertFalse(inner.port.open)

    def test_no_registrar(self) -> None:
        """Without a registrar it serves, and closes all the same."""
        self.world.crash_registrar(1)
        port = self.listen(self.endpoint(self.inner()))
        self.assertNoResult(port.registered)
        self.world.result(port.stopListening())
        self.assertIsNone(self.successResultOf(port.registered))

    def test_refused(self) -> None:
        """A registrar refuses it for good: the port stays open, the application is told."""
        self.world.member(2, policy="random")
        refused: list[Any] = []
        inner = self.inner()
        port = self.listen(self.endpoint(inner, refused=refused.append))
        self.assertIsNone(self.successResultOf(port.registered))
        self.assertIn("policy", str(refused[0].value))
        self.assertTrue(inner.port.open)

    def test_policy_changes(self) -> None:
        """The element can be told of a new weight."""
        port = self.listen(self.endpoint(self.inner(), policy="weighted-round-robin:weight=5"))
        port.element.change("pool", policy="weighted-round-robin:weight=6")
        self.world.run(1)
        self.assertEqual(parse("weighted-round-robin:weight=6").data, self.elements()[0].policy.data)

    def test_unreachable(self) -> None:
        """A port where users cannot come is a mistake, and is closed again."""
        for address in (IPv4Address("TCP", "127.0.0.1", 8001), UNIXAddress("/tmp/socket")):  # noqa: S108
            inner = Inner(self.world.reactor, address)
            self.failureResultOf(self.endpoint(inner).listen(Factory()), ConfigurationError)
            self.assertFalse(inner.port.open)

    def test_taken(self) -> None:
        """A port that is taken is nobody's."""

        def taken(*args: Any, **options: Any) -> Any:
            raise CannotListenError("", 8001, OSError())

        self.patch(self.world.reactor, "listenTCP", taken)
        endpoint = self.endpoint(TCP4ServerEndpoint(self.world.reactor, 8001))
        self.failureResultOf(endpoint.listen(Factory()), CannotListenError)

    def test_bound(self) -> None:
        """By default an element is where its port is bound."""
        self.listen(self.endpoint(self.inner(HOST), hosts=()))
        self.assertEqual((HOST,), self.elements()[0].user_transport.addresses)


class SctpTests(ServerEndpointCase):
    """Elements over SCTP."""

    def sctp(self) -> SctpServerEndpoint:
        return SctpServerEndpoint(self.world.reactor, 5000, HOST, stack=self.stack)

    def test_served(self) -> None:
        """A client endpoint finds it, the UDP port included."""
        port = self.listen(self.endpoint(self.sctp(), hosts=()))
        self.assertEqual(SctpTransport(5000, DATA_ONLY, (HOST,)), self.elements()[0].user_transport)
        received: list[bytes] = []
        protocol = Protocol()
        protocol.dataReceived = received.append  # type: ignore[assignment,method-assign]
        factory = Factory()
        factory.buildProtocol = lambda address: protocol  # type: ignore[assignment,method-assign]
        self.world.result(PoolClientEndpoint(self.world.user, "pool").connect(factory))
        protocol.transport.write(b"hello")
        self.world.until(lambda: received)
        stopped = port.stopListening()
        self.world.run(1)
        self.assertNoResult(stopped)
        protocol.transport.loseConnection()
        self.world.result(stopped)

    def test_control(self) -> None:
        """The transport use is registered."""
        self.listen(self.endpoint(self.sctp(), control=True))
        self.assertEqual(DATA_PLUS_CONTROL, self.elements()[0].user_transport.use)


class StringTests(SynchronousTestCase):
    r"""C{rserpool:POOL:tcp\:0}."""

    def endpoint(self, description: str) -> Any:
        return serverFromString(Reactor(), description)

    def test_inner(self) -> None:
        """The inner endpoint, with options of its own, whether their equals signs are escaped or not."""
        for text, kind in (
            (r"rserpool:POOL:tcp\:0", TCP4ServerEndpoint),
            (r"rserpool:POOL:tcp\:0\:interface=127.0.0.1\:backlog=7", TCP4ServerEndpoint),
            (r"rserpool:POOL:tcp\:0\:interface\=127.0.0.1\:backlog\=7", TCP4ServerEndpoint),
            (r"rserpool:POOL:tcp\:0\:interface=127.0.0.1:policy=random", TCP4ServerEndpoint),
            (r"rserpool:POOL:tcp6\:0\:interface=\\\:\\\:1", TCP6ServerEndpoint),
            (r"rserpool:POOL:sctp\:0\:interface=10.0.0.1,10.0.1.1", SctpServerEndpoint),
        ):
            endpoint = self.endpoint(text)
            self.assertIs(PoolServerEndpoint, type(endpoint))
            self.assertIs(kind, type(endpoint.inner), text)
            self.assertEqual(b"POOL", endpoint.handle)

    def test_tls(self) -> None:
        """TLS inside."""
        from tests.web.certificates import Authority

        path = self.mktemp()
        Authority().write(path, "localhost")
        endpoint = self.endpoint(rf"rserpool:POOL:ssl\:0\:privateKey={path}\:certKey={path}")
        self.assertIs(SSL4ServerEndpoint, type(endpoint.inner))

    def test_options(self) -> None:
        """All there are."""
        endpoint = self.endpoint(
            r"rserpool:größe:tcp\:0:registrar=127.0.0.1\:3864/9898+10.0.0.1:policy=least-used\:load=cpu:identifier=0x10"
            r":life=30:grace=0.5:address=10.0.0.7,10.0.1.7:profile=fast:backend=usrsctp:udp=9890:control=yes:announce=yes"
        )
        self.assertEqual("größe".encode(), endpoint.handle)
        self.assertEqual(
            (TransportAddress(("127.0.0.1",), 3864, 9898), TransportAddress(("10.0.0.1",), 3863)), endpoint.registrars
        )
        self.assertEqual({"load": "cpu"}, endpoint.policy.probes)
        self.assertEqual({"identifier": 16, "life": 30, "values": None}, endpoint.serving)
        self.assertEqual((0.5, ("10.0.0.7", "10.0.1.7")), (endpoint.grace, endpoint.hosts))
        self.assertTrue(endpoint.control)
        self.assertEqual(
            {"profile": FAST, "backend": "usrsctp", "encapsulation": 9890, "announcements": True}, endpoint.options
        )

    def test_mistakes(self) -> None:
        """A wrong part is named."""
        for description, part in (
            ("rserpool", "which pool"),
            ("rserpool:", "which pool"),
            ("rserpool:A", "where does it listen"),
            ("rserpool:A:", "where does it listen"),
            ("rserpool:A:tcp:0", r"tcp\:0"),
            (r"rserpool:A:tcp\:0:registrar=127.0.0.1:3863", "escaped"),
            (r"rserpool:A:tcp\:0:registrar=host", "host"),
            (r"rserpool:A:tcp\:0:policy=weighted-round-robin:weight=5", "weight"),
            (r"rserpool:A:tcp\:0:policy=best", "best"),
            (r"rserpool:A:tcp\:0:policy=least-used\:load=colour", "colour"),
            (r"rserpool:A:tcp\:0:identifier=0", "identifier=0"),
            (r"rserpool:A:tcp\:0:life=long", "life=long"),
            (r"rserpool:A:tcp\:0:grace=-1", "grace=-1"),
            (r"rserpool:A:tcp\:0:control=maybe", "yes or no"),
            (r"rserpool:A:tcp\:0:backend=none", "backend=none"),
            (r"rserpool:A:tcp\:0:profile=slow", "slow"),
            (r"rserpool:A:tcp\:0:colour=red", "colour"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                self.endpoint(description)
            self.assertIn(part, str(raised.exception))
