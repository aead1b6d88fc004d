"""Sockets of the kernel's SCTP that a program has made itself are adopted by their descriptors."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import (
    CannotListenError,
    ConnectError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    NoProtocol,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.sctp import (
    ISctpHandler,
    SctpClientEndpoint,
    SctpProtocol,
    adoptConnection,
    adoptEndpoint,
    adoptPort,
    open_stack,
)
from rserpool.sctp.kernel import options, sockaddr
from rserpool.sctp.kernel.stack import KernelStack
from tests.lab.test_kernel import KernelCase
from tests.sctp.harness import Recorder, SctpHarness

try:
    import sctp
except ImportError:
    sctp = None

SCTP = options.IPPROTO_SCTP
NOBODY = ("10.11.12.1", "10.11.12.99")
"""An address of the guest, and one beside it where nobody is."""


def made(kind: int = socket.SOCK_SEQPACKET, host: str = "127.0.0.1", listening: bool = True) -> socket.socket:
    """A socket as a program makes it."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind, SCTP)
    sock.bind((host, 0))
    if listening:
        sock.listen(5)
    return sock


class Adopting:
    """A stack whose endpoints are adopted."""

    def __init__(self, stack: KernelStack) -> None:
        self._stack = stack

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stack, name)

    def open(self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True) -> Any:
        hosts = hosts or self._stack.hosts
        sock = socket.socket(socket.AF_INET6 if ":" in hosts[0] else socket.AF_INET, socket.SOCK_SEQPACKET, SCTP)
        with sock:
            options.configure(sock, self._stack.profile)
            try:
                sock.bind((hosts[0], port))
                if hosts[1:]:
                    options.add_addresses(sock, hosts[1:], sock.getsockname()[1])
            except OSError as error:
                raise CannotListenError(hosts[0], port, error) from None
            if listening:
                sock.listen(5)
            return self._stack.adopt(sock, handler)


class AdoptedContractTests(KernelCase, TestCase):
    """Endpoints that are adopted keep the contract of all endpoints."""

    async def makeStack(self, *hosts: str) -> Any:
        stack: Any = await super().makeStack(*hosts)
        return Adopting(stack)


class AdoptedCase(SctpHarness, TestCase):
    """A test with sockets of a program."""

    async def makeStack(self, *hosts: str) -> Any:
        return open_stack(reactor, backend="kernel", hosts=hosts)

    def mine(self, *arguments: Any, **keywords: Any) -> socket.socket:
        sock = made(*arguments, **keywords)
        self.addCleanup(sock.close)
        return sock

    def adopt(self, given: Any) -> tuple[Any, Recorder]:
        recorder = self.recorder()
        endpoint = adoptEndpoint(reactor, given, recorder)
        self.addCleanup(endpoint.abort)
        return endpoint, recorder


class EndpointTests(AdoptedCase):
    """One-to-many sockets."""

    async def test_associations(self) -> None:
        """Associations, and messages in the queue, of the time before are told once, in order; then all goes on."""
        peer, connecting = await self.open(listening=False)
        sock = self.mine()
        association = peer.connect(TransportAddress(("127.0.0.1",), sock.getsockname()[1]))
        association.send(b"before", 7, 3)
        await self.until(lambda: bool(connecting.up))
        endpoint, recorder = self.adopt(sock.fileno())
        sock.close()
        self.assertTrue(recorder.silent)
        self.assertEqual((("127.0.0.1",), association.peer.port), (endpoint.hosts, endpoint.port))
        await self.until(lambda: bool(recorder.received))
        self.assertEqual([(b"before", 7, 3, False)], recorder.received)
        [accepted] = recorder.up
        self.assertEqual(
            (False, True, (self.host,)), (accepted.outbound, accepted.established, accepted.peer_addresses)
        )
        accepted.send(b"and back", 9)
        await self.until(lambda: bool(connecting.received))
        other, second = await self.open(listening=False)
        other.connect(TransportAddress(("127.0.0.1",), endpoint.port))
        await self.until(lambda: len(recorder.up) == 2)
        association.close()
        other.abort()
        await self.until(lambda: len(recorder.lost) == 2)
        self.assertEqual({ConnectionDone, ConnectionLost}, set(recorder.reasons))

    async def test_dials(self) -> None:
        """A socket that does not listen opens associations; what the program has dialled counts as accepted if up."""
        server, _ = await self.open()
        other, _ = await self.open()
        sock = self.mine(listening=False)
        sock.connect(("127.0.0.1", server.port))
        endpoint, recorder = self.adopt(sock)
        sock.close()
        endpoint.connect(self.address(other))
        await self.until(lambda: len(recorder.up) == 2)
        self.assertEqual(
            {server.port: False, other.port: True},
            {association.peer.port: association.outbound for association in recorder.up},
        )
        await self.fired(endpoint.stopListening())
        self.assertEqual([ConnectionDone] * 2, recorder.reasons)

    async def test_dialling(self) -> None:
        """An association that the program is still dialling is one of the endpoint, and ends with it."""
        sock = self.mine(host=NOBODY[0], listening=False)
        sock.setblocking(False)
        # The kernel gives it a number that others can know (sctp_connectx).
        self.assertGreater(options.connect(sock, (NOBODY[1],), 1), 0)
        endpoint, recorder = self.adopt(sock)
        await self.settle()
        self.assertEqual((1, True), (endpoint.associations, recorder.silent))
        await self.fired(endpoint.stopListening())
        [(association, _)] = recorder.lost
        self.assertEqual((True, (NOBODY[1],)), (association.outbound, association.peer.hosts))
        self.assertEqual([ConnectionAborted], recorder.reasons)

    async def test_shutting_down(self) -> None:
        """An association that its peer has begun to shut down is told, with its messages, and its end."""
        peer, connecting = await self.open(listening=False)
        sock = self.mine()
        association = peer.connect(TransportAddress(("127.0.0.1",), sock.getsockname()[1]))
        for _ in range(50):
            association.send(bytes(10000))
        association.close()
        await self.until(lambda: bool(connecting.up))
        _, recorder = self.adopt(sock)
        await self.until(lambda: bool(recorder.lost and connecting.lost))
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (recorder.reasons, connecting.reasons))
        self.assertEqual([10000] * 50, [len(data) for data in recorder.data])

    async def test_options_stay(self) -> None:
        """Timers and buffers are the program's; the heartbeat interval can be set, and nothing beside it."""
        sock = self.mine()
        before = [sock.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
        sock.setsockopt(SCTP, 0, struct.pack("=iIII", 0, 1200, 5000, 400))
        path = struct.Struct("=i128sIHIIIIBx")
        sock.setsockopt(SCTP, 9, path.pack(0, bytes(128), 9000, 3, 0, 0, 1, 0, 0))
        endpoint, recorder = self.adopt(sock)
        peer, _ = await self.open(listening=False)
        peer.connect(TransportAddress(("127.0.0.1",), endpoint.port))
        await self.until(lambda: bool(recorder.up))
        association: Any = recorder.up[0]
        kept = association.socket.socket

        def told() -> tuple[Any, ...]:
            rto = options._get(kept, 0, struct.pack("=iIII", association.identifier, 0, 0, 0))
            peers = sockaddr.pack("127.0.0.1", peer.port)
            found = path.unpack(options._get(kept, 9, path.pack(association.identifier, peers, 0, 0, 0, 0, 0, 0, 0)))
            return (*struct.unpack("=iIII", rto)[1:], *found[2:4])

        self.assertEqual((1200, 5000, 400, 9000, 3), told())
        endpoint.setHeartbeat(4)
        self.assertEqual((1200, 5000, 400, 4000, 3), told())
        self.assertEqual(
            before, [kept.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
        )

    async def test_subscriptions(self) -> None:
        """What the program has subscribed to stands in nobody's way."""
        sock = self.mine()
        sock.setsockopt(SCTP, 11, bytes([1] * 10))
        endpoint, recorder = self.adopt(sock)
        peer, _ = await self.open(listening=False)
        association = peer.connect(TransportAddress(("127.0.0.1",), endpoint.port))
        association.send(b"heard", 11)
        await self.until(lambda: bool(recorder.received))
        association.close()
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([(b"heard", 11, 0, False)], recorder.received)

    async def test_pysctp(self) -> None:
        """pysctp's socket, over IPv6, with the associations that it has."""
        if sctp is None:
            self.skipTest("pysctp is not installed")
        server, accepting = await self.open(host="::1")
        theirs = sctp.sctpsocket_udp(socket.AF_INET6)
        theirs.bind(("::1", 0))
        theirs.events.data_io = theirs.events.association = True
        theirs.connect(("::1", server.port))
        theirs.sctp_send(b"of pysctp", ("::1", server.port), ppid=8)
        await self.until(lambda: bool(accepting.received))
        endpoint, recorder = self.adopt(theirs)
        theirs.close()
        accepting.up[0].send(b"to us", 5)
        await self.until(lambda: bool(recorder.received))
        self.assertEqual([(b"to us", 5, 0, False)], recorder.received)
        self.assertEqual([(b"of pysctp", 8, 0, False)], accepting.received)
        self.assertEqual((("::1",), ("::1",)), (endpoint.hosts, recorder.up[0].local_addresses))

    async def test_peeled_off(self) -> None:
        """A socket that was peeled off is an endpoint with one association."""
        peer, connecting = await self.open(listening=False)
        sock = self.mine()
        association = peer.connect(TransportAddress(("127.0.0.1",), sock.getsockname()[1]))
        await self.until(lambda: bool(connecting.up))
        [identifier] = options.associations(sock)
        endpoint, recorder = self.adopt(options.peel_off(sock, identifier))
        association.send(b"alone")
        await self.until(lambda: bool(recorder.received))
        self.assertEqual(1, endpoint.associations)

    async def test_wildcard(self) -> None:
        """A socket that is bound to all addresses says so."""
        endpoint, _ = self.adopt(self.mine(host="0.0.0.0"))
        self.assertEqual(("0.0.0.0",), endpoint.hosts)

    async def test_stopped_at_once(self) -> None:
        """An endpoint that is aborted before it has read hears nothing, and frees its port."""
        peer, connecting = await self.open(listening=False)
        sock = self.mine()
        peer.connect(TransportAddress(("127.0.0.1",), sock.getsockname()[1]))
        await self.until(lambda: bool(connecting.up))
        endpoint, recorder = self.adopt(sock)
        endpoint.abort()
        await self.settle()
        self.assertTrue(recorder.silent)


class Messages(SctpProtocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, int, int, bool]] = []
        self.reasons: list[Any] = []

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.received.append((data, ppid, stream, unordered))
        self.factory.noticed()

    def connectionLost(self, reason: Any = None) -> None:
        self.reasons.append(reason.type)
        self.factory.noticed()


class Echo(Protocol):
    """Of bytes."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class OneToOneTests(AdoptedCase):
    """One-to-one sockets."""

    def factory(self) -> Any:
        factory: Any = Factory.forProtocol(Messages)  # type: ignore[type-var]
        factory.noticed = self._noticed
        factory.built = []
        build = factory.buildProtocol
        factory.buildProtocol = lambda address: factory.built.append(build(address)) or factory.built[-1]
        return factory

    async def test_port(self) -> None:
        """A port serves who connected before and after, whole messages each way; it ends gracefully."""
        sock = self.mine(socket.SOCK_STREAM)
        peer, connecting = await self.open(listening=False)
        place = TransportAddress(("127.0.0.1",), sock.getsockname()[1])
        early = peer.connect(place)
        early.send(b"early", 6, 2)
        await self.until(lambda: bool(connecting.up))
        factory = self.factory()
        port = adoptPort(reactor, sock, factory)
        sock.close()
        self.assertEqual((place.hosts, place.port), (port.getHost().hosts, port.getHost().port))
        await self.until(lambda: bool(factory.built and factory.built[0].received))
        self.assertEqual([(b"early", 6, 2, False)], factory.built[0].received)
        client: Any = await SctpClientEndpoint(reactor, place, backend="kernel").connect(self.factory())
        client.transport.send(b"late", 4, 1, True)
        await self.until(lambda: len(factory.built) == 2 and bool(factory.built[1].received))
        self.assertEqual([(b"late", 4, 1, True)], factory.built[1].received)
        factory.built[1].transport.send(bytes(65536))
        await self.until(lambda: bool(client.received))
        self.assertEqual(2, port.associations)
        factory.built[0].transport.abort()
        await self.until(lambda: bool(connecting.lost))
        self.assertEqual([ConnectionLost], connecting.reasons)
        await self.fired(port.stopListening())
        await self.until(lambda: bool(client.reasons))
        self.assertEqual([ConnectionDone], client.reasons)
        refused = peer.connect(place)
        await self.until(lambda: len(connecting.lost) == 2)
        self.assertFalse(refused.established)

    async def test_ordinary_protocols(self) -> None:
        """A factory of ordinary protocols sees bytes."""
        port = adoptPort(reactor, self.mine(socket.SOCK_STREAM, "::1"), Factory.forProtocol(Echo))
        place = TransportAddress(("::1",), port.getHost().port)
        client: Any = await SctpClientEndpoint(reactor, place, backend="kernel").connect(self.factory())
        client.transport.write(bytes(60_000))
        await self.until(lambda: bool(client.received))
        self.assertEqual(60_000, len(client.received[0][0]))
        await self.fired(port.stopListening())

    async def connected(self) -> tuple[Any, Any, Any, Recorder]:
        """A connection that is adopted: transport, protocol, the other end, and its recorder."""
        server, accepting = await self.open()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP)
        sock.connect(("127.0.0.1", server.port))
        await self.until(lambda: bool(accepting.up))
        accepting.up[0].send(b"first")
        factory = self.factory()
        transport = adoptConnection(reactor, sock, factory)
        sock.close()
        return transport, factory.built[0], accepting.up[0], accepting

    async def test_connection(self) -> None:
        """The protocol has its transport at once; messages go both ways, and a close is graceful."""
        transport, protocol, _, accepting = await self.connected()
        self.assertIs(transport, protocol.transport)
        self.assertTrue(transport.established)
        self.assertEqual(("127.0.0.1",), transport.getPeer().hosts)
        transport.send(b"second", 3, 4, True)
        transport.loseConnection()
        await self.until(lambda: bool(protocol.reasons and accepting.lost))
        self.assertEqual([(b"first", 0, 0, False)], protocol.received)
        self.assertEqual([(b"second", 3, 4, True)], accepting.received)
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (protocol.reasons, accepting.reasons))

    async def test_ends_of_the_peer(self) -> None:
        """A peer that shuts down, or aborts, is told as everywhere."""
        for end, expected in (("close", ConnectionDone), ("abort", ConnectionLost)):
            _, protocol, other, _ = await self.connected()
            getattr(other, end)()
            await self.until(lambda protocol=protocol: bool(protocol.reasons))  # type: ignore[misc]
            self.assertEqual([expected], protocol.reasons)

    async def test_abort(self) -> None:
        """An abort is one, for the peer as well."""
        transport, protocol, _, accepting = await self.connected()
        transport.abort()
        await self.until(lambda: bool(protocol.reasons and accepting.lost))
        self.assertEqual([ConnectionLost], accepting.reasons)

    async def test_no_protocol(self) -> None:
        """A factory that builds none wants no connection."""
        server, accepting = await self.open()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP)
        sock.connect(("127.0.0.1", server.port))
        await self.until(lambda: bool(accepting.up))
        factory = Factory()
        factory.buildProtocol = lambda address: None  # type: ignore[assignment, method-assign]
        with sock:
            self.assertRaises(NoProtocol, adoptConnection, reactor, sock, factory)
        await self.until(lambda: bool(accepting.lost))
        self.assertEqual([ConnectionLost], accepting.reasons)

    async def test_dials_nobody_else(self) -> None:
        """A one-to-one socket opens no further association."""
        server, _ = await self.open()
        recorder = self.recorder()
        port = adoptPort(reactor, self.mine(socket.SOCK_STREAM), self.factory())
        endpoint: Any = port.endpoint
        endpoint.handler = recorder
        endpoint.connect(self.address(server))
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectError], recorder.reasons)
        await self.fired(port.stopListening())


class WrongTests(AdoptedCase):
    """What is no such socket is a sentence that says what it is."""

    def refused(self, adopt: Any, given: Any, *said: str) -> None:
        error = self.assertRaises(ConfigurationError, adopt, reactor, given, self.recorder())
        for text in said:
            self.assertIn(text, str(error))

    async def test_no_socket(self) -> None:
        """Closed, a pipe, other protocols."""
        pipe = os.pipe()
        for end in pipe:
            self.addCleanup(os.close, end)
        tcp, udp, closed = socket.socket(), socket.socket(type=socket.SOCK_DGRAM), self.mine()
        self.addCleanup(tcp.close)
        self.addCleanup(udp.close)
        number = closed.fileno()
        closed.close()
        for adopt in (adoptEndpoint, adoptPort, adoptConnection):
            self.refused(adopt, number, f"descriptor {number} is closed")
            self.refused(adopt, closed, "descriptor -1 is closed")
            self.refused(adopt, pipe[0], f"descriptor {pipe[0]} is not a socket")
            self.refused(adopt, tcp, "a socket of protocol 6, not")
            self.refused(adopt, udp, "a socket of protocol 17, not")

    async def test_otherwise(self) -> None:
        """Bound or connected otherwise than asked."""
        many, listening = self.mine(), self.mine(socket.SOCK_STREAM)
        unbound = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, SCTP)
        idle = self.mine(socket.SOCK_STREAM, listening=False)
        connected = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP)
        for sock in (unbound, connected):
            self.addCleanup(sock.close)
        connected.connect(listening.getsockname())
        wanted = {
            adoptEndpoint: "not a one-to-many SCTP socket that is bound",
            adoptPort: "not a one-to-one SCTP socket that listens",
            adoptConnection: "not a one-to-one SCTP socket that is connected",
        }
        for adopt, sock, found in (
            (adoptEndpoint, unbound, "a one-to-many SCTP socket that is not bound"),
            (adoptEndpoint, listening, "a one-to-one SCTP socket that listens"),
            (adoptEndpoint, connected, "a one-to-one SCTP socket that is connected"),
            (adoptPort, many, "a one-to-many SCTP socket that is bound"),
            (adoptPort, connected, "a one-to-one SCTP socket that is connected"),
            (adoptPort, idle, "a one-to-one SCTP socket that neither listens nor is connected"),
            (adoptConnection, many, "a one-to-many SCTP socket that is bound"),
            (adoptConnection, listening, "a one-to-one SCTP socket that listens"),
            (adoptConnection, idle, "a one-to-one SCTP socket that neither listens nor is connected"),
        ):
            self.refused(adopt, sock, found, wanted[adopt])
        # Nothing was closed, or changed.
        self.assertEqual([True] * 3, [sock.getblocking() for sock in (many, listening, connected)])

    async def test_closed_stack(self) -> None:
        """A stack that is closed adopts nothing."""
        stack: Any = await self.stack()
        await self.fired(stack.close())
        self.assertRaises(CannotListenError, stack.adopt, self.mine(), self.recorder())
