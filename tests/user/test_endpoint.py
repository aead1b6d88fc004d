"""The client endpoint of a pool: a real registrar and real elements, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import NoProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    ConfigurationError,
    NoElement,
    NoRegistrar,
    SctpTransport,
    SctpUnavailable,
    TransportAddress,
    UdpTransport,
    UnknownPool,
)
from rserpool.core.profiles import DEFAULT, FAST
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL
from rserpool.sctp import SctpProtocol, listenSCTP
from rserpool.sctp.one_to_one import connector
from rserpool.user import PassedOver, PoolClientEndpoint, PoolUserService
from tests.conformance import rfc
from tests.pool_scope import PoolScope


class Client(Protocol):
    """Notes whether it is connected."""

    lost: Any = None

    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


class Messages(SctpProtocol):
    """Notes what it receives."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, int]] = []

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.received.append((data, ppid))


class Echo(SctpProtocol):
    """Answers with the same."""

    transport: Any

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.transport.send(data, ppid)


class EndpointCase(SynchronousTestCase):
    """With one registrar and a pool user."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service

    def endpoint(self, **options: Any) -> PoolClientEndpoint:
        return PoolClientEndpoint(self.user, b"pool", **options)

    def connect(self, endpoint: PoolClientEndpoint) -> Deferred[Any]:
        return endpoint.connect(Factory.forProtocol(Client))

    def connected(self, endpoint: PoolClientEndpoint) -> Any:
        return self.scope.result(self.connect(endpoint))


class ConnectTests(EndpointCase):
    """Who is connected to."""

    @rfc("5352", "6.5.1", "MUST first perform a pool handle")
    def test_element(self) -> None:
        """The endpoint's protocol is connected to an element, and both can be asked which."""
        self.scope.member(1)
        endpoint = self.endpoint()
        protocol = self.connected(endpoint)
        self.assertIsInstance(protocol, Client)
        self.assertEqual(protocol.transport.getPeer().port, 8001)
        element = endpoint.element_of(protocol)
        assert element is not None
        self.assertEqual(element.identifier, 1)
        self.assertEqual(endpoint.element, element)

    def test_turns(self) -> None:
        """Round robin: each connection goes to the next element."""
        for number in (1, 2, 3):
            self.scope.member(number)
        endpoint = self.endpoint()
        for _ in range(6):
            self.connected(endpoint)
        ports = self.scope.tried()
        self.assertEqual(sorted(ports[:3]), [8001, 8002, 8003])
        self.assertEqual(ports[3:], ports[:3])

    def test_next_at_once(self) -> None:
        """An element that refuses is followed by the next at once, is reported, and comes last from then on."""
        for number in (1, 2):
            self.scope.member(number)
        self.scope.kill(self.scope.members[1])
        endpoint = self.endpoint()
        start = self.scope.now
        for _ in range(4):
            protocol = self.connected(endpoint)
            self.assertEqual(protocol.transport.getPeer().port, 8002)
        self.assertLess(self.scope.now - start, 0.05)
        self.assertLessEqual(self.scope.tried().count(8001), 1)

    def test_silent_element(self) -> None:
        """An element that does not answer costs one attempt's time."""
        for number in (1, 2):
            self.scope.hold(self.scope.client, self.scope.member(number))
        began = self.scope.now
        connecting = self.connect(self.endpoint())
        self.scope.advance(0.1)
        (first,) = self.scope.tried()
        other = 16003 - first
        self.scope.release(self.scope.client, self.scope.members[other - 8000])
        protocol = self.scope.result(connecting)
        self.assertEqual(protocol.transport.getPeer().port, other)
        self.assertAlmostEqual(self.scope.now - began, DEFAULT.t1_enrp_request, 1)

    def test_attempt(self) -> None:
        """The time of one attempt can be chosen."""
        self.scope.hold(self.scope.client, self.scope.member(1))
        self.connect(self.endpoint(attempt=0.2)).addErrback(lambda _: None)
        self.scope.advance(0.1)
        self.scope.release(self.scope.client, self.scope.members[1])
        self.scope.advance(0.5)
        self.assertEqual(self.scope.tried(), [8001, 8001])

    def test_asks_afresh(self) -> None:
        """When all have failed the registrar is asked again, and who is new is tried."""
        self.scope.member(1)
        self.scope.kill(self.scope.members[1])
        connecting = self.connect(self.endpoint())
        self.scope.advance(1)
        self.scope.member(2)
        protocol = self.scope.result(connecting)
        self.assertEqual(protocol.transport.getPeer().port, 8002)

    def test_comes_back(self) -> None:
        """An element that restarts on its old port is found, while no registrar answers."""
        self.scope.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        self.scope.kill(*self.scope.registrars)
        self.scope.close()
        connecting = self.connect(self.endpoint())
        self.scope.advance(5)
        self.assertNoResult(connecting)
        self.scope.open(1)
        self.assertEqual(self.scope.result(connecting).transport.getPeer().port, 8001)

    def test_nothing_accepts(self) -> None:
        """At the deadline it fails, and names what was tried and why."""
        self.scope.member(1)
        self.scope.close()
        start = self.scope.now
        with self.assertRaises(NoElement) as raised:
            self.connected(self.endpoint(timeout=5.0))
        self.assertLess(self.scope.now - start, 5.01)
        self.assertGreater(self.scope.now - start, 3.9)
        self.assertIn("0x00000001 at tcp 10.0.1.1:8001: Connection was refused", str(raised.exception))
        self.assertLess(len(self.scope.tried()), 20)

    def test_unknown_pool(self) -> None:
        """A pool that does not exist is told at once."""
        with self.assertRaises(UnknownPool):
            self.connected(self.endpoint())

    def test_no_registrar(self) -> None:
        """Without a registrar there is nothing to try."""
        self.scope.kill(*self.scope.registrars)
        with self.assertRaises(NoRegistrar):
            self.connected(self.endpoint(timeout=2.0))

    def test_udp(self) -> None:
        """Elements over other transports are passed over, with the reason; nobody is reported."""
        self.scope.member(1, transport=UdpTransport(53, "10.0.1.1"))
        with self.assertRaises(NoElement) as raised:
            self.connected(self.endpoint())
        self.assertIn("Udp", str(raised.exception))
        self.assertEqual(self.scope.tried(), [])

    def test_session(self) -> None:
        """Elements that want the session layer are passed over, too."""
        self.scope.member(1, transport=SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.1.1",)))
        with self.assertRaises(NoElement) as raised:
            self.connected(self.endpoint())
        self.assertIn("session", str(raised.exception))

    def test_ipv6(self) -> None:
        """Elements may have IPv6 addresses."""
        self.scope = PoolScope(self, ipv6=True)
        self.user = self.scope.client.service
        self.scope.member(1)
        self.assertEqual(self.connected(self.endpoint()).transport.getPeer().host, "fd00:1::1")

    def test_cancel(self) -> None:
        """A connect can be cancelled while an element is tried; nobody is reported for it."""
        self.scope.hold(self.scope.client, self.scope.member(1))
        connecting = self.connect(self.endpoint())
        self.scope.advance(0.1)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.scope.release(self.scope.client, self.scope.members[1])
        self.scope.advance(10)
        self.assertEqual(self.scope.servers[1].connections, [])
        self.assertEqual(self.scope.tried(), [8001])

    def test_cancel_while_resolving(self) -> None:
        """Or while the registrar is asked."""
        connecting = self.connect(self.endpoint())
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_cancel_while_pausing(self) -> None:
        """Or between two rounds."""
        self.scope.member(1)
        self.scope.close()
        connecting = self.connect(self.endpoint())
        self.scope.advance(0.03)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_a_way_of_ones_own(self) -> None:
        """An application may connect in its own way; an element that it passes over is not reported."""
        self.scope.member(1)
        self.scope.member(2)
        endpoint = self.endpoint()
        asked: list[int] = []

        def connect(inner: Any, element: Any) -> Any:
            asked.append(element.identifier)
            if element.identifier == 1:
                raise PassedOver("not this one")
            return inner.connect(Factory.forProtocol(Client))

        for _ in range(4):
            self.scope.result(endpoint.connect_by(connect))
        self.assertEqual(2, asked.count(1))
        self.assertEqual(2, endpoint.element.identifier)
        with self.assertRaises(NoElement) as raised:
            self.scope.result(endpoint.connect_by(lambda inner, element: fail(PassedOver("none"))))
        self.assertIn("none", str(raised.exception))

    def test_no_protocol(self) -> None:
        """A factory that builds no protocol is the application's affair: no element is blamed."""
        self.scope.member(1)
        self.scope.member(2)

        class Without(Factory):
            def buildProtocol(self, addr: Any) -> None:
                return None

        with self.assertRaises(NoProtocol):
            self.scope.result(self.endpoint().connect(Without()))
        self.assertEqual(len(self.scope.tried()), 1)

    def test_chosen(self) -> None:
        """The application can be told who serves."""
        self.scope.member(1)
        chosen: list[int] = []
        self.connected(self.endpoint(chosen=lambda element: chosen.append(element.identifier)))
        self.assertEqual(chosen, [1])


class SctpTests(EndpointCase):
    """Elements that serve over SCTP."""

    def setUp(self) -> None:
        super().setUp()
        self.servers: list[Echo] = []

    def member(self, number: int, serving: bool = True) -> None:
        host = f"10.0.1.{number}"
        member = self.scope.member(number, transport=SctpTransport(5000, DATA_ONLY, (host,)))
        if serving:
            factory = Factory()
            factory.buildProtocol = self.serve  # type: ignore[assignment,method-assign]
            listenSCTP(member.reactor, 5000, factory, (host,), stack=member.stack)

    def serve(self, addr: Any) -> Any:
        self.servers.append(Echo())
        return self.servers[-1]

    def test_messages(self) -> None:
        """A message protocol talks to an element; the element's UDP port was found."""
        self.member(1)
        endpoint = self.endpoint()
        factory = Factory.forProtocol(Messages)  # type: ignore[type-var]
        protocol: Any = self.scope.result(endpoint.connect(factory))
        protocol.transport.send(b"hello", 7)
        self.scope.advance(0.1)
        self.assertEqual(protocol.received, [(b"hello", 7)])
        element = endpoint.element_of(protocol)
        assert element is not None
        self.assertEqual(element.identifier, 1)

    def test_bytes(self) -> None:
        """So does an ordinary protocol."""
        self.member(1)
        protocol = self.connected(self.endpoint())
        protocol.transport.write(b"hello")
        self.scope.advance(0.1)
        self.assertEqual(protocol.received, b"hello")

    def test_next(self) -> None:
        """An element where nobody listens is followed by the next."""
        self.member(1, serving=False)
        self.member(2)
        endpoint = self.endpoint()
        for _ in range(3):
            self.connected(endpoint)
            element = endpoint.element
            assert element is not None
            self.assertEqual(element.identifier, 2)

    def test_drop(self) -> None:
        """A connection to an element that was removed is dropped."""
        self.member(1)
        protocol = self.connected(self.endpoint(drop=True))
        self.scope.advance(1)
        self.assertIsNone(protocol.lost)
        self.scope.members[1].leave("pool")
        self.scope.advance(1)
        self.assertIsNotNone(protocol.lost)

    def test_cancel(self) -> None:
        """A connect can be cancelled while an association is set up."""
        self.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        self.scope.silence(self.scope.members[1])
        connecting = self.connect(self.endpoint())
        self.scope.advance(0.1)
        connecting.cancel()
        self.scope.advance(0.1)
        self.failureResultOf(connecting, CancelledError)

    def test_no_sctp(self) -> None:
        """A user without SCTP says what to install."""
        self.member(1)
        kernel = PoolUserService(self.scope.client.reactor, backend="kernel")
        self.patch(self.user, "sctp_endpoint", kernel.sctp_endpoint)
        self.patch(connector, "open_stack", self.none)
        with self.assertRaises(NoElement) as raised:
            self.connected(self.endpoint())
        self.assertIn("apt-get install libusrsctp2", str(raised.exception))

    @staticmethod
    def none(*args: Any, **options: Any) -> Any:
        raise SctpUnavailable("no SCTP: apt-get install libusrsctp2")


class ReportTests(EndpointCase):
    """Failures that only the application sees."""

    def test_protocol(self) -> None:
        """By the protocol, even after its connection is lost."""
        self.scope.member(1)
        self.scope.member(2)
        endpoint = self.endpoint()
        protocol = self.connected(endpoint)
        failed = protocol.transport.getPeer().port
        protocol.transport.abortConnection()
        endpoint.report(protocol)
        self.scope.tried()
        for _ in range(4):
            self.connected(endpoint)
        self.assertEqual(self.scope.tried(), [16003 - failed] * 4)

    def test_element(self) -> None:
        """By the element."""
        self.scope.member(1)
        self.scope.member(2)
        endpoint = self.endpoint()
        self.connected(endpoint)
        first = endpoint.element
        endpoint.report(first)
        self.connected(endpoint)
        self.connected(endpoint)
        self.assertNotEqual(endpoint.element, first)

    def test_wrapped(self) -> None:
        """By a protocol that wraps ours (TLS does): its peer tells."""
        self.scope.member(1)
        endpoint = self.endpoint()
        protocol = self.connected(endpoint)
        wrapping = Client()
        wrapping.makeConnection(protocol.transport)
        element = endpoint.element_of(wrapping)
        assert element is not None
        self.assertEqual(element.identifier, 1)

    def test_stranger(self) -> None:
        """A protocol that this endpoint did not connect is a mistake."""
        with self.assertRaises(ValueError):
            self.endpoint().report(Client())

    def test_forgotten(self) -> None:
        """Not all connections that are gone are remembered."""
        self.scope.member(1)
        endpoint = self.endpoint()
        for _ in range(100):
            protocol = self.connected(endpoint)
            protocol.transport.abortConnection()
        self.assertLess(len(endpoint._connections._connections), 60)


class DropTests(EndpointCase):
    """Connections to elements that the registrar removed."""

    def test_frozen(self) -> None:
        """An element freezes, the registrar removes it: its connection is dropped, that of another is not."""
        self.scope.member(1)
        self.scope.member(2)
        endpoint = self.endpoint(drop=True)
        by_port = {each.transport.getPeer().port: each for each in (self.connected(endpoint) for _ in range(2))}
        self.assertEqual(sorted(by_port), [8001, 8002])
        self.scope.freeze(self.scope.members[1])
        took = self.scope.until(lambda: by_port[8001].lost, 10.0)
        self.assertLess(took, 4.0)
        self.scope.advance(20)
        self.assertIsNone(by_port[8002].lost)

    def test_spared(self) -> None:
        """A connection that is in use may go on for five seconds."""
        self.scope.member(1)
        busy = True
        protocol = self.connected(self.endpoint(drop=True, spare=lambda protocol: busy))
        self.scope.advance(1)
        self.scope.members[1].leave("pool")
        self.scope.advance(4.9)
        self.assertIsNone(protocol.lost)
        took = self.scope.until(lambda: protocol.lost, 1.0)
        self.assertLess(took, 0.3)

    def test_spared_no_more(self) -> None:
        """One that is not ends at once."""
        self.scope.member(1)
        protocol = self.connected(self.endpoint(drop=True, spare=lambda protocol: False))
        self.scope.advance(1)
        self.scope.members[1].leave("pool")
        self.scope.until(lambda: protocol.lost, 1.0)

    def test_last_element(self) -> None:
        """The last element takes the pool along."""
        self.scope.member(1)
        protocol = self.connected(self.endpoint(drop=True))
        self.scope.freeze(self.scope.members[1])
        self.scope.until(lambda: protocol.lost, 4.0)

    def test_not_asked_for(self) -> None:
        """Without the option the connection stays."""
        self.scope.member(1)
        protocol = self.connected(self.endpoint())
        self.scope.freeze(self.scope.members[1])
        self.scope.advance(30)
        self.assertIsNone(protocol.lost)

    def test_registrar_crashes(self) -> None:
        """No registrar, no verdict."""
        self.scope.member(1)
        protocol = self.connected(self.endpoint(drop=True))
        self.scope.kill(*self.scope.registrars)
        self.scope.advance(60)
        self.assertIsNone(protocol.lost)

    def test_registrar_restarts(self) -> None:
        """A registrar that begins with nothing is given time to learn of the elements."""
        self.scope.member(1)
        self.scope.member(2)
        endpoint = self.endpoint(drop=True)
        one, two = self.connected(endpoint), self.connected(endpoint)
        self.scope.kill(*self.scope.registrars)
        self.scope.advance(1)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(30)
        self.assertFalse(one.lost or two.lost)

    def test_died_meanwhile(self) -> None:
        """An element that dies while there is no registrar is given up some seconds after there is one again."""
        self.scope.member(1)
        self.scope.member(2)
        endpoint = self.endpoint(drop=True)
        by_port = {each.transport.getPeer().port: each for each in (self.connected(endpoint) for _ in range(2))}
        self.scope.kill(*self.scope.registrars)
        self.scope.freeze(self.scope.members[1])
        self.scope.advance(1)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(3)
        self.assertIsNone(by_port[8001].lost)
        self.scope.until(lambda: by_port[8001].lost, 10.0)
        self.assertIsNone(by_port[8002].lost)

    def test_removed_by_the_next_registrar(self) -> None:
        """Nobody waits for an element that the new registrar knew, and removed, once it is the home for a while."""
        self.scope.member(1)
        protocol = self.connected(self.endpoint(drop=True))
        self.scope.kill(*self.scope.registrars)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(15)
        self.assertIsNone(protocol.lost)
        self.scope.freeze(self.scope.members[1])
        self.scope.until(lambda: protocol.lost, 4.0)

    def test_rests(self) -> None:
        """When no connection is open, the pool is not watched any more."""
        self.scope.member(1)
        protocol = self.connected(self.endpoint(drop=True))
        protocol.transport.abortConnection()
        self.scope.member(2)
        self.scope.advance(1)
        self.assertEqual(self.user._subscriptions, {})


class StringTests(SynchronousTestCase):
    """C{rserpool:POOL:registrar=HOST:PORT}."""

    def user(self, description: str) -> Any:
        endpoint = clientFromString(self.reactor, description)
        self.assertIsInstance(endpoint, PoolClientEndpoint)
        self.last: Any = endpoint
        return endpoint.user  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def test_as_written(self) -> None:
        """The form of the documentation works literally."""
        user = self.user("rserpool:POOL:registrar=127.0.0.1:3864")
        self.assertEqual(user.registrars, (TransportAddress(("127.0.0.1",), 3864),))
        self.assertEqual(self.last.handle, b"POOL")

    def test_escaped(self) -> None:
        """So do escaped colons."""
        user = self.user(r"rserpool:POOL:registrar=127.0.0.1\:3864/9898")
        self.assertEqual(user.registrars, (TransportAddress(("127.0.0.1",), 3864, 9898),))

    def test_ipv6(self) -> None:
        """IPv6, both ways."""
        for text in (r"[\:\:1]:3864", r"[\:\:1]\:3864", "[::1]:3864"):
            user = self.user(f"rserpool:POOL:registrar={text}:profile=fast")
            self.assertEqual(user.registrars, (TransportAddress(("::1",), 3864),))

    def test_several(self) -> None:
        """Several registrars are joined by +; one may have several addresses."""
        user = self.user("rserpool:POOL:registrar=10.0.0.1,10.0.1.1:3863+10.0.0.2:3864:transport=tcp")
        self.assertEqual(
            user.registrars, (TransportAddress(("10.0.0.1", "10.0.1.1"), 3863), TransportAddress(("10.0.0.2",), 3864))
        )

    def test_defaults(self) -> None:
        """Only the pool must be named; it may have any characters, in UTF-8."""
        self.assertEqual(len(self.user("rserpool:größe").registrars), 8)
        self.assertEqual(self.last.handle, "größe".encode())

    def test_shared(self) -> None:
        """Endpoints with the same settings share one pool user."""
        one = self.user("rserpool:A:registrar=127.0.0.1:3864")
        self.assertIs(self.user("rserpool:B:registrar=127.0.0.1:3864:timeout=3:drop=yes:items=4"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3864:profile=fast"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3865"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3864:announce=yes"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3864:backend=usrsctp"), one)
        self.assertIs(self.user("rserpool:A:registrar=127.0.0.1:3864:attempt=0.5"), one)

    def test_profile(self) -> None:
        """The profile is that of the pool user."""
        self.assertIs(self.user("rserpool:A:profile=fast").profile, FAST)

    def test_mistakes(self) -> None:
        """A wrong part is named."""
        for description, part in (
            ("rserpool", "which pool"),
            ("rserpool:", "which pool"),
            ("rserpool:A:127.0.0.1:3863", "127.0.0.1:3863"),
            ("rserpool:A:registrar=host:3863", "host"),
            ("rserpool:A:registrar=127.0.0.1:99999", "99999"),
            ("rserpool:A:transport=udp", "udp"),
            ("rserpool:A:profile=slow", "slow"),
            ("rserpool:A:timeout=never", "never"),
            ("rserpool:A:items=1.5", "1.5"),
            ("rserpool:A:drop=maybe", "maybe"),
            ("rserpool:A:announce=maybe", "maybe"),
            ("rserpool:A:attempt=0", "attempt=0"),
            ("rserpool:A:backend=none", "none"),
            ("rserpool:A:colour=red", "colour"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                clientFromString(self.reactor, description)
            self.assertIn(part, str(raised.exception))

    def test_starts_and_stops(self) -> None:
        """The pool user starts with the first connect, and stops with the reactor."""
        user = self.user("rserpool:POOL:registrar=127.0.0.1:3864:transport=tcp")
        self.assertFalse(user.running)
        self.last.connect(Factory.forProtocol(Client)).addErrback(lambda _: None)
        self.assertTrue(user.running)
        self.assertEqual([client[:2] for client in self.reactor.tcpClients], [("127.0.0.1", 3864)])
        ((stop, args, keywords),) = self.reactor.triggers["before"]["shutdown"]
        stop(*args, **keywords)
        self.assertFalse(user.running)
