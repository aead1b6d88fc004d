"""The server endpoint of a pool: a real registrar, all in memory."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    serverFromString,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
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
from tests.pool_scope import PoolScope

HOST = "10.0.1.1"


@implementer(IListeningPort)
class Port:
    """A port that is no port of IP."""

    open = True

    def getHost(self) -> Any:
        return UNIXAddress("/tmp/socket")  # noqa: S108

    def startListening(self) -> None:
        self.open = True

    def stopListening(self) -> None:
        self.open = False


@implementer(IStreamServerEndpoint)
class Unix:
    """An endpoint of it."""

    def __init__(self) -> None:
        self.port = Port()

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        return succeed(self.port)


class ServerEndpointCase(SynchronousTestCase):
    """A scope with one registrar, and a host where somebody listens."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client
        self.process = self.scope.element()
        self.reactor = self.process.reactor

    def endpoint(self, inner: Any, **options: Any) -> PoolServerEndpoint:
        defaults = {"registrars": self.scope.addresses, "stack": self.process.stack, "hosts": (HOST,)}
        return PoolServerEndpoint(self.reactor, inner, "pool", random=Random(9), **{**defaults, **options})

    def inner(self, host: str = "0.0.0.0", port: int = 8001) -> TCP4ServerEndpoint:  # noqa: S104
        return TCP4ServerEndpoint(self.reactor, port, interface=host)

    @property
    def open(self) -> Any:
        """The port that listens; None if it does not."""
        return self.reactor.listening_on(8001, HOST)

    def arrive(self) -> Any:
        """A client that is connected."""
        endpoint = TCP4ClientEndpoint(self.user.reactor, HOST, 8001)
        return self.scope.result(endpoint.connect(Factory.forProtocol(Protocol)))

    def listen(self, endpoint: PoolServerEndpoint, factory: Any = None) -> PooledPort:
        """Listening is done at once; then time passes until it is registered."""
        port: Any = self.successResultOf(endpoint.listen(factory or Factory.forProtocol(Echo)))
        self.scope.advance(1)
        return port

    def elements(self) -> tuple[PoolElementParameter, ...]:
        try:
            return self.scope.result(self.user.service.resolve(b"pool", fresh=True)).elements
        except UnknownPool:
            return ()


class PortTests(ServerEndpointCase):
    """Who listens is an element."""

    def test_registered(self) -> None:
        """With policy, identifier and life."""
        policy = parse("weighted-round-robin:weight=5")
        port = self.listen(self.endpoint(self.inner(), policy="weighted-round-robin:weight=5", identifier=7, life=60))
        self.assertEqual(7, self.successResultOf(port.registered))
        self.assertEqual(IPv4Address("TCP", "0.0.0.0", 8001), port.getHost())  # noqa: S104
        (element,) = self.elements()
        self.assertEqual((7, 60, TcpTransport(8001, HOST)), (element.identifier, element.life, element.user_transport))
        self.assertEqual((policy.policy.number, policy.data), (element.policy.type, element.policy.data))

    def test_factory(self) -> None:
        """The factory is used as it is."""
        factory = Factory.forProtocol(Echo)
        self.listen(self.endpoint(self.inner()), factory)
        self.assertIs(factory, self.open.factory)

    def test_stopped(self) -> None:
        """It leaves the pool, and then the port is closed; asking twice is no mistake."""
        port = self.listen(self.endpoint(self.inner()))
        stopped = [port.stopListening(), port.stopListening()]
        self.assertTrue(self.open)
        for each in stopped:
            self.scope.result(each)
        self.assertFalse(self.open)
        self.assertEqual((), self.elements())
        with self.assertRaises(RuntimeError):
            port.element  # noqa: B018

    def test_again(self) -> None:
        """And it can be opened again."""
        port = self.listen(self.endpoint(self.inner(), identifier=3))
        self.scope.result(port.stopListening())
        port.startListening()
        self.scope.advance(1)
        self.assertTrue(self.open)
        self.assertEqual(3, self.successResultOf(port.registered))
        self.assertEqual(1, len(self.elements()))

    def test_drained(self) -> None:
        """Connections may end before the port is closed."""
        port = self.listen(self.endpoint(self.inner()))
        connection = self.arrive()
        stopped = port.stopListening()
        self.scope.advance(3)
        self.assertEqual((), self.elements())
        self.assertNoResult(stopped)
        connection.transport.loseConnection()
        self.scope.advance(0.1)
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """But not for ever."""
        port = self.listen(self.endpoint(self.inner(), grace=2))
        self.arrive()
        stopped = port.stopListening()
        self.scope.advance(1)
        self.assertTrue(self.open)
        self.scope.advance(2)
        self.successResultOf(stopped)
        self.assertFalse(self.open)

    def test_no_registrar(self) -> None:
        """Without a registrar it serves, and closes all the same."""
        self.scope.kill(*self.scope.registrars)
        port = self.listen(self.endpoint(self.inner()))
        self.assertNoResult(port.registered)
        self.scope.result(port.stopListening())
        self.assertIsNone(self.successResultOf(port.registered))

    def test_refused(self) -> None:
        """A registrar refuses it for good: the port stays open, the application is told."""
        self.scope.member(2, policy="random")
        refused: list[Any] = []
        port = self.listen(self.endpoint(self.inner(), refused=refused.append))
        self.assertIsNone(self.successResultOf(port.registered))
        self.assertIn("policy", str(refused[0].value))
        self.assertTrue(self.open)

    def test_policy_changes(self) -> None:
        """The element can be told of a new weight."""
        port = self.listen(self.endpoint(self.inner(), policy="weighted-round-robin:weight=5"))
        port.element.change("pool", policy="weighted-round-robin:weight=6")
        self.scope.advance(1)
        self.assertEqual(parse("weighted-round-robin:weight=6").data, self.elements()[0].policy.data)

    def test_unreachable(self) -> None:
        """A port where users cannot come is a mistake, and is closed again."""
        loopback, unix = self.inner("127.0.0.1"), Unix()
        for inner in (loopback, unix):
            self.failureResultOf(self.endpoint(inner).listen(Factory()), ConfigurationError)
        self.assertEqual((False, []), (unix.port.open, self.reactor.getReaders()))

    def test_taken(self) -> None:
        """A port that is taken is nobody's."""
        self.reactor.listenTCP(8001, Factory())
        endpoint = self.endpoint(self.inner())
        self.failureResultOf(endpoint.listen(Factory()), CannotListenError)

    def test_bound(self) -> None:
        """By default an element is where its port is bound."""
        self.listen(self.endpoint(self.inner(HOST), hosts=()))
        self.assertEqual((HOST,), self.elements()[0].user_transport.addresses)


class SctpTests(ServerEndpointCase):
    """Elements over SCTP."""

    def sctp(self) -> SctpServerEndpoint:
        return SctpServerEndpoint(self.reactor, 5000, HOST, stack=self.process.stack)

    def test_served(self) -> None:
        """A client endpoint finds it, the UDP port included."""
        port = self.listen(self.endpoint(self.sctp(), hosts=()))
        self.assertEqual(SctpTransport(5000, DATA_ONLY, (HOST,)), self.elements()[0].user_transport)
        received: list[bytes] = []
        protocol = Protocol()
        protocol.dataReceived = received.append  # type: ignore[assignment,method-assign]
        factory = Factory()
        factory.buildProtocol = lambda address: protocol  # type: ignore[assignment,method-assign]
        self.scope.result(PoolClientEndpoint(self.user.service, "pool").connect(factory))
        protocol.transport.write(b"hello")
        self.scope.until(lambda: received)
        stopped = port.stopListening()
        self.scope.advance(1)
        self.assertNoResult(stopped)
        protocol.transport.loseConnection()
        self.scope.result(stopped)

    def test_control(self) -> None:
        """The transport use is registered."""
        self.listen(self.endpoint(self.sctp(), control=True))
        self.assertEqual(DATA_PLUS_CONTROL, self.elements()[0].user_transport.use)


class StringTests(SynchronousTestCase):
    r"""C{rserpool:POOL:tcp\:0}."""

    def endpoint(self, description: str) -> Any:
        return serverFromString(MemoryReactorClock(), description)

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
            (r"rserpool:A:tcp\:x", "'tcp:x' is no endpoint to listen on"),
            (r"rserpool:A:frob\:0", "'frob:0' is no endpoint to listen on"),
            (r"rserpool:A:tcp", "is no endpoint to listen on"),
            (r"rserpool:A:tcp\:0:registrar=127.0.0.1:3863", "escaped"),
            (r"rserpool:A:tcp\:0:registrar=ho st", "ho st"),
            (r"rserpool:A:tcp\:0:policy=weighted-round-robin:weight=5", "weight"),
            (r"rserpool:A:tcp\:0:policy=best", "best"),
            (r"rserpool:A:tcp\:0:policy=least-used\:load=colour", "colour"),
            (r"rserpool:A:tcp\:0:identifier=0", "identifier=0"),
            (r"rserpool:A:tcp\:0:life=long", "life=long"),
            (r"rserpool:A:tcp\:0:grace=-1", "grace=-1"),
            (r"rserpool:A:tcp\:0:control=maybe", "yes or no"),
            (r"rserpool:A:tcp\:0:backend=none", "backend=none"),
            (r"rserpool:A:tcp\:0:profile=slow", "slow"),
            (r"rserpool:A:tcp\:0:security=absent", "security=absent: "),
            (r"rserpool:A:tcp\:0:colour=red", "colour"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                self.endpoint(description)
            self.assertIn(part, str(raised.exception))
