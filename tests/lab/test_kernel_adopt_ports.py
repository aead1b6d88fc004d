"""One-to-one sockets of the kernel's SCTP are adopted; what is no such socket is refused, with a sentence."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import CannotListenError, ConnectError, ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.sctp import SctpClientEndpoint, SctpProtocol, adoptConnection, adoptEndpoint, adoptPort, listenSCTP
from tests.lab.test_kernel_adopt import SCTP, AdoptedCase
from tests.sctp.harness import Recorder


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

    async def test_accept_no_more(self) -> None:
        """Who is connected is served, though the reactor has seen nobody yet; who comes later is refused."""
        for adopted in (False, True):
            factory = self.factory()
            sock = self.mine(socket.SOCK_STREAM)
            port = adoptPort(reactor, sock, factory) if adopted else listenSCTP(reactor, 0, factory, backend="kernel")
            where = ("127.0.0.1", port.getHost().port)
            sock.close()
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP)
            self.addCleanup(client.close)
            client.connect(where)
            client.send(b"hello")
            port.acceptNoMore()
            self.assertEqual(1, port.associations)
            late = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP)
            with late, self.assertRaises(OSError):
                late.connect(where)
            while not factory.built[0].received:
                await deferLater(reactor, 0)  # type: ignore[arg-type]
            self.assertEqual([b"hello"], [message[0] for message in factory.built[0].received])
            client.close()
            await self.fired(port.stopListening())

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
