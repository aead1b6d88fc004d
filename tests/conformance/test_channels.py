"""What RFC 5352 requires of the channels below ASAP: SCTP, addresses, payload protocol identifiers, error reports."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, NoElement, SctpTransport, TransportAddress, UdpTransport
from rserpool.core.addresses import ASAP_PORT
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import (
    DATA_ONLY,
    DATA_PLUS_CONTROL,
    DccpTransport,
    ErrorCause,
    UdpLiteTransport,
    UserTransport,
)
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.sctp import SctpProtocol, listenSCTP
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.memory import Network
from rserpool.user import PoolClientEndpoint, PoolUserService
from tests.conformance import rfc
from tests.pool_scope import PoolScope, Taking
from tests.sctp.harness import Recorder

REGISTRAR = TransportAddress(("10.0.0.1",), ASAP_PORT)
UNKNOWN = b"\x77\0\0\4"


def messages(recorder: Recorder) -> list[Any]:
    """What it received, decoded."""
    return [asap.decode(data).message for data in recorder.data]


class ElementTests(SynchronousTestCase):
    """A pool element, seen from a registrar's SCTP."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        network = Network(self.reactor)
        self.registrar = Recorder(lambda: None)
        network.stack("10.0.0.1", registrar=True).open(ASAP_PORT, self.registrar, ("10.0.0.1",))
        hosts = ("10.0.1.1", "10.0.2.1")
        self.element = PoolElementService(
            self.reactor, registrars=[REGISTRAR], hosts=hosts, stack=network.stack(*hosts)
        )
        self.element.startService()
        self.element.serve(b"pool", SctpTransport(5000, DATA_PLUS_CONTROL, hosts), identifier=7)
        self.reactor.pump([0.01] * 50)

    @rfc("5352", "0", "MUST use the SCTP transport protocol")
    @rfc("5352", "2.1", "MUST use SCTP as transport")
    @rfc("5352", "2.2.1", "MUST send the message using an SCTP")
    @rfc("5352", "3.1", "MUST register using an SCTP association")
    @rfc("5352", "5", "SHOULD be used", "MUST be sent using the PPID")
    def test_everything_goes_over_sctp(self) -> None:
        """Registration, acknowledgement, deregistration, with the PPID of ASAP (11)."""
        [association] = self.registrar.up
        association.send(asap.encode(asap.RegistrationResponse(b"pool", 7)), PPID_ASAP)
        association.send(asap.encode(asap.EndpointKeepAlive(1, b"pool")), PPID_ASAP)
        self.reactor.pump([0.01] * 50)
        self.element.leave(b"pool")
        self.reactor.pump([0.01] * 50)
        kinds = [asap.Registration, asap.EndpointKeepAliveAck, asap.Deregistration]
        self.assertEqual([type(message) for message in messages(self.registrar)], kinds)
        self.assertEqual({ppid for _, ppid, _, _ in self.registrar.received}, {11})

    @rfc("5352", "2.2.1", "MUST be a subset of the IP")
    @rfc("5352", "3.1", "MUST be bound to all IP addresses")
    @rfc("5352", "6.1", "MUST be a bound IP address")
    def test_addresses(self) -> None:
        """Its SCTP is bound to both addresses of its service, so they are those of the association."""
        [association] = self.registrar.up
        [registration] = messages(self.registrar)
        self.assertEqual(registration.element.user_transport.addresses, ("10.0.1.1", "10.0.2.1"))
        self.assertLessEqual({"10.0.1.1", "10.0.2.1"}, set(association.peer_addresses))

    @rfc("5352", "4", "[PE] Furthermore")
    @rfc("5352", "2.2.14", "SHOULD send back an ASAP_ERROR message")
    def test_reports_what_it_does_not_know(self) -> None:
        [association] = self.registrar.up
        association.send(UNKNOWN, PPID_ASAP)
        self.reactor.pump([0.01] * 50)
        cause = ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, UNKNOWN)
        self.assertEqual(messages(self.registrar)[1:], [asap.Error((cause,))])


class RegistrarTests(SynchronousTestCase):
    """A registrar, seen from a user's SCTP."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.network = Network(self.reactor)
        stack = self.network.stack("10.0.0.1", registrar=True)
        self.service = RegistrarService(self.reactor, asap=REGISTRAR, stack=stack)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        self.user = Recorder(lambda: None)
        endpoint = self.network.stack("10.0.2.1").open(0, self.user, ("10.0.2.1",))
        self.association = endpoint.connect(
            TransportAddress(REGISTRAR.hosts, ASAP_PORT, self.service.encapsulation_port)
        )

    def ask(self, data: bytes) -> list[Any]:
        self.association.send(data, PPID_ASAP)
        self.reactor.pump([0.01] * 50)
        return messages(self.user)

    @rfc("5352", "3.3", "SHOULD be prepared to receive ASAP_HANDLE_RESOLUTION requests")
    def test_well_known_ports(self) -> None:
        """Port 3863 of SCTP, and port 3863 of TCP."""
        [answer] = self.ask(asap.encode(asap.HandleResolution(b"pool")))
        self.assertEqual([cause.code for cause in answer.causes], [CauseCode.UNKNOWN_POOL_HANDLE])
        self.assertEqual((ASAP_PORT, [port for port, *_ in self.reactor.tcpServers]), (3863, [3863]))

    @rfc("5352", "5", "SHOULD be used", "MUST be sent using the PPID")
    def test_answers_with_the_ppid_of_asap(self) -> None:
        self.ask(asap.encode(asap.HandleResolution(b"pool")))
        self.assertEqual([ppid for _, ppid, _, _ in self.user.received], [11])

    @rfc("5352", "2.2.14", "SHOULD send back an ASAP_ERROR message")
    def test_reports_what_it_does_not_know(self) -> None:
        """A message, and a parameter beside which the rest of its message is answered."""
        cause = ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, UNKNOWN)
        self.assertEqual(self.ask(UNKNOWN), [asap.Error((cause,))])
        error, answer = self.ask(b"\5\0\0\x0c\0\x09\0\4\xc1\x23\0\4")[1:]
        cause = ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, b"\xc1\x23\0\4")
        self.assertEqual(error, asap.Error((cause,)))
        self.assertIsInstance(answer, asap.HandleResolutionResponse)


class UserTests(SynchronousTestCase):
    """A pool user among registrars and elements."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service

    def serve(self, number: int, protocol: type) -> None:
        host = f"10.0.1.{number}"
        member = self.scope.member(number, transport=SctpTransport(5000, DATA_ONLY, (host,)))
        listenSCTP(member.reactor, 5000, Factory.forProtocol(protocol), (host,), stack=member.stack)

    @rfc("5352", "5", "MUST NOT use the PPID registered for ASAP")
    @rfc("5352", "6.5.1", "MUST first perform a pool handle")
    def test_data_have_another_ppid(self) -> None:
        received: list[tuple[bytes, int]] = []

        class Sink(SctpProtocol):
            def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
                received.append((data, ppid))

        self.serve(1, Sink)
        self.serve(2, Sink)
        endpoint = PoolClientEndpoint(self.user, b"pool")
        messages_: Any = self.scope.result(endpoint.connect(Factory.forProtocol(SctpProtocol)))  # type: ignore[type-var]
        messages_.transport.send(b"message")
        stream: Any = self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))
        stream.transport.write(b"bytes")
        self.scope.advance(0.1)
        self.assertEqual([data for data, _ in received], [b"message", b"bytes"])
        self.assertNotIn(PPID_ASAP, [ppid for _, ppid in received])

    @rfc("5354", "3.5", "MUST NOT be used for control information")
    def test_only_data_over_tcp(self) -> None:
        """An element's TCP port gets what the application writes, and nothing else."""
        self.scope.member(1)
        endpoint = PoolClientEndpoint(self.user, b"pool")
        client: Any = self.scope.result(endpoint.connect(Factory.forProtocol(Taking)))
        client.transport.write(b"hello")
        self.scope.advance(30.0)
        [connection] = self.scope.servers[1].connections
        self.assertEqual(connection.received, b"hello")

    @rfc("5354", "3.3", "MUST NOT be used for control information")
    @rfc("5354", "3.6", "MUST NOT be used for control information")
    @rfc("5354", "3.7", "MUST NOT be used for control information")
    def test_nothing_over_other_transports(self) -> None:
        """Elements over DCCP, UDP and UDP-Lite can be resolved; nobody sends anything to their ports."""
        transports: tuple[UserTransport, ...] = (
            DccpTransport(7, 0x41424344, "10.0.1.1"),
            UdpTransport(7, "10.0.1.2"),
            UdpLiteTransport(7, "10.0.1.3"),
        )
        for number, transport in enumerate(transports, 1):
            self.scope.member(number, b"pool%d" % number, transport=transport)
            [element] = self.scope.result(self.user.resolve(b"pool%d" % number)).elements
            self.assertEqual(element.user_transport, transport)
            endpoint = PoolClientEndpoint(self.user, b"pool%d" % number, timeout=1.0)
            failed: list[Any] = []
            endpoint.connect(Factory.forProtocol(Taking)).addErrback(failed.append)
            self.scope.advance(2.0)
            self.assertIsInstance(failed[0].value, NoElement)
        self.assertEqual(self.scope.tried(), [])

    @rfc("5352", "3.5", "MUST NOT send an ASAP_ENDPOINT_UNREACHABLE message unless")
    @rfc("5352", "6.9.2", "SHOULD NOT send an ASAP_ENDPOINT_UNREACHABLE")
    def test_no_report_of_who_was_not_used(self) -> None:
        """A user that resolves and watches a pool says nothing about elements that it sent nothing to."""
        self.scope.member(1)
        self.scope.member(2)
        self.user.subscribe(b"pool", lambda change: None)
        self.scope.result(self.user.resolve(b"pool"))
        self.scope.kill(self.scope.members[2])
        self.scope.advance(10.0)
        self.assertEqual(self.reports(), [])
        self.scope.close()
        endpoint = PoolClientEndpoint(self.user, b"pool", timeout=1.0)
        endpoint.connect(Factory.forProtocol(Taking)).addErrback(lambda failure: None)
        self.scope.advance(2.0)
        self.assertEqual({report.message.identifier for report in self.reports()}, {1})

    def reports(self) -> list[Any]:
        """What the registrar was told."""
        return self.scope.trace.messages(asap.EndpointUnreachable, target="r1")

    @rfc("5352", "4", "MUST fulfill both roles")
    def test_element_and_user_in_one(self) -> None:
        """One process serves in a pool, and uses another, over the same SCTP stack."""
        self.scope.member(1, b"database")
        member = self.scope.member(2, b"web")
        user = PoolUserService(member.reactor, self.scope.addresses, stack=member.stack)
        user.startService()
        [found] = self.scope.result(user.resolve(b"database")).elements
        self.assertEqual(found.identifier, 1)
        self.scope.advance(100.0)
        [found] = self.scope.result(user.resolve(b"web")).elements
        self.assertEqual(found.identifier, 2)
