"""The client endpoint of a pool: a real registrar and real elements, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, fail, succeed
from twisted.internet.error import ConnectionRefusedError, NoProtocol
from twisted.internet.protocol import Factory

from rserpool.core import (
    NoElement,
    NoRegistrar,
    SctpTransport,
    SctpUnavailable,
    UdpTransport,
    UnknownPool,
)
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL
from rserpool.sctp import SctpProtocol, listenSCTP
from rserpool.sctp.one_to_one import protocols
from rserpool.user import PassedOver, PoolUserService
from tests.conformance import rfc
from tests.pool_scope import PoolScope, Taking
from tests.user.stage import EndpointCase


class ConnectTests(EndpointCase):
    """Who is connected to."""

    def test_repr(self) -> None:
        """It names the pool, as a C{ClientService} does in the log when it tries again."""
        self.assertEqual("<PoolClientEndpoint to pool 'pool'>", repr(self.endpoint(1)))

    @rfc("5352", "6.5.1", "MUST first perform a pool handle")
    def test_element(self) -> None:
        """The endpoint's protocol is connected to an element, and both can be asked which."""
        endpoint = self.endpoint(1)
        protocol = self.connected(endpoint)
        self.assertIsInstance(protocol, Taking)
        self.assertEqual(protocol.transport.getPeer().port, 8001)
        self.assertEqual(endpoint.element_of(protocol).identifier, 1)
        self.assertEqual(endpoint.element, endpoint.element_of(protocol))

    def test_turns(self) -> None:
        """Round robin: each connection goes to the next element."""
        endpoint = self.endpoint(1, 2, 3)
        for _ in range(6):
            self.connected(endpoint)
        ports = self.scope.tried()
        self.assertEqual(sorted(ports[:3]), [8001, 8002, 8003])
        self.assertEqual(ports[3:], ports[:3])

    def test_next_at_once(self) -> None:
        """An element that refuses is followed by the next at once, is reported, and comes last from then on."""
        self.scope.member(1)
        self.scope.member(2)
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
        failure = self.fails(self.endpoint(timeout=5.0), NoElement)
        self.assertLess(self.scope.now - start, 5.01)
        self.assertGreater(self.scope.now - start, 3.9)
        self.assertIn("0x00000001 at tcp 10.0.1.1:8001: Connection was refused", failure)
        self.assertLess(len(self.scope.tried()), 20)

    def test_unknown_pool(self) -> None:
        """A pool that does not exist is told at once."""
        self.fails(self.endpoint(), UnknownPool)

    def test_no_registrar(self) -> None:
        """Without a registrar there is nothing to try."""
        self.scope.kill(*self.scope.registrars)
        self.fails(self.endpoint(timeout=2.0), NoRegistrar)

    def test_udp(self) -> None:
        """Elements over other transports are passed over, with the reason; nobody is reported."""
        self.scope.member(1, transport=UdpTransport(53, "10.0.1.1"))
        self.assertIn("Udp", self.fails(self.endpoint(), NoElement))
        self.assertEqual(self.scope.tried(), [])

    def test_session(self) -> None:
        """Elements that want the session layer are passed over, too."""
        self.scope.member(1, transport=SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.1.1",)))
        self.assertIn("session", self.fails(self.endpoint(), NoElement))

    def test_ipv6(self) -> None:
        """Elements may have IPv6 addresses."""
        self.scope = PoolScope(self, ipv6=True)
        self.user = self.scope.client.service
        self.assertEqual(self.connected(self.endpoint(1)).transport.getPeer().host, "fd00:1::1")

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
        endpoint = self.endpoint(1, 2)
        asked: list[int] = []

        def connect(inner: Any, element: Any) -> Any:
            asked.append(element.identifier)
            if element.identifier == 1:
                raise PassedOver("not this one")
            return inner.connect(Factory.forProtocol(Taking))

        for _ in range(4):
            self.scope.result(endpoint.connect_by(connect))
        self.assertEqual(2, asked.count(1))
        self.assertEqual(2, endpoint.element.identifier)
        with self.assertRaises(NoElement) as raised:
            self.scope.result(endpoint.connect_by(lambda inner, element: fail(PassedOver("none"))))
        self.assertIn("none", str(raised.exception))

    def test_open_already(self) -> None:
        """Where the pool is known, a connection that is open is had at once, and the next one is another's turn; one
        that was tried in vain at once is followed by the next."""
        chosen: list[int] = []
        endpoint = self.endpoint(1, 2, chosen=lambda element: chosen.append(element.identifier))
        self.connected(endpoint)
        open_ = {number: Taking() for number in (1, 2)}
        for _ in range(2):
            self.successResultOf(endpoint.connect_by(lambda inner, element: succeed(open_[element.identifier])))
        self.assertEqual([1, 2], sorted(chosen[1:]))
        self.assertEqual([1, 2], [endpoint.element_of(open_[number]).identifier for number in (1, 2)])

        def connect(inner: Any, element: Any) -> Any:
            return fail(ConnectionRefusedError()) if element.identifier == 1 else succeed(open_[2])

        for _ in range(2):
            self.successResultOf(endpoint.connect_by(connect))
        self.assertEqual([2, 2], chosen[3:])

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
        self.assertEqual(endpoint.element_of(protocol).identifier, 1)

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
            self.assertEqual(endpoint.element.identifier, 2)

    def test_drop(self) -> None:
        """A connection to an element that was removed is dropped."""
        self.member(1)
        protocol = self.connected(self.endpoint(drop=True, grace=0.5))
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
        self.patch(protocols, "open_stack", self.none)
        self.assertIn("apt-get install libusrsctp2", self.fails(self.endpoint(), NoElement))

    @staticmethod
    def none(*args: Any, **options: Any) -> Any:
        raise SctpUnavailable("no SCTP: apt-get install libusrsctp2")
