"""The UDP side of the usrsctp backend: ports, addresses, garbage, floods, idleness (RFC 6951)."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import CannotListenError, ConnectionRefusedError, TimeoutError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.core import ConfigurationError, SctpUnavailable, TransportAddress
from rserpool.core.profiles import DEFAULT, FAST
from rserpool.sctp import listenSCTP, open_stack
from rserpool.sctp.base import MAX_MESSAGE, REGISTRAR_ENCAPSULATION_PORTS
from rserpool.sctp.usrsctp import library, stack, udp
from rserpool.sctp.usrsctp.packets import abort_for
from tests.sctp.usrsctp_case import UsrsctpTestCase


class PortTests(UsrsctpTestCase):
    """Which UDP port a process gets."""

    # An address where no other process of this machine is at home.
    host = "127.0.99.1"

    async def test_registrar(self) -> None:
        """A registrar takes the first free of the well-known ports, and a second one of the same process shares it."""
        stack = await self.makeStack(self.host, encapsulation=None, registrar=True)
        self.assertEqual(9899, stack.encapsulation_port)
        again = await self.makeStack(self.host, encapsulation=None, registrar=True)
        self.assertEqual(9899, again.encapsulation_port)

    async def test_registrar_next(self) -> None:
        """What others have taken is passed over."""
        self.udp(self.host, 9899)
        self.udp(self.host, 9898)
        stack = await self.makeStack(self.host, encapsulation=None, registrar=True)
        self.assertEqual(9897, stack.encapsulation_port)

    async def test_registrar_none(self) -> None:
        """When all are taken, that is an error."""
        for port in REGISTRAR_ENCAPSULATION_PORTS:
            self.udp(self.host, port)
        with self.assertRaisesRegex(CannotListenError, "9899 to 9892, are taken"):
            await self.makeStack(self.host, encapsulation=None, registrar=True)

    async def test_others(self) -> None:
        """Servers and clients leave the registrars' ports alone, also where the system would give them one."""
        for number in range(2):
            server = listenSCTP(reactor, 0, Factory(), (f"127.0.99.{number}",), backend="usrsctp")
            self.addCleanup(server.stopListening)
            self.assertNotIn(server.getHost().encapsulation, REGISTRAR_ENCAPSULATION_PORTS)
        given = iter((9899, 9892, 9900))
        self.patch(stack, "bind", lambda host, port: udp.bind(host, port or next(given)))
        other = await self.makeStack(self.host, encapsulation=0)
        self.assertEqual(9900, other.encapsulation_port)

    def test_zone(self) -> None:
        """A link-local address is told with its interface, others as they are."""
        index, name = socket.if_nameindex()[0]
        self.assertEqual(f"fe80::1%{name}", udp.with_zone("fe80::1", 9899, 0, index))
        self.assertEqual("fe80::1%65000", udp.with_zone("fe80::1", 9899, 0, 65000))
        self.assertEqual("2001:db8::1", udp.with_zone("2001:db8::1", 9899, 0, 0))
        self.assertEqual("10.0.0.1", udp.with_zone("10.0.0.1", 9899))

    async def test_explicit_busy(self) -> None:
        """A port that was asked for and is taken is named."""
        stranger = self.udp(self.host)
        port = stranger.getsockname()[1]
        with self.assertRaises(CannotListenError) as caught:
            await self.makeStack(self.host, encapsulation=port)
        self.assertIn(f"{self.host}:{port}", str(caught.exception))
        self.assertIn("in use", str(caught.exception))

    async def test_shared(self) -> None:
        """Who does not care shares the port that the process has; it lives until the last one has closed it."""
        one = await self.makeStack(self.host, encapsulation=None)
        two = await self.makeStack("127.0.99.2", encapsulation=None)
        self.assertEqual(one.encapsulation_port, two.encapsulation_port)
        server = two.open(0, self.recorder(), ("127.0.99.2",))
        recorder = self.recorder()
        client = two.open(0, recorder, (self.host,))
        await one.close()
        client.connect(TransportAddress(("127.0.99.2",), server.port, two.encapsulation_port))
        await self.until(lambda: bool(recorder.up))

    async def test_reopened(self) -> None:
        """A stack can be opened and closed again and again; the UDP port is free each time."""
        port = None
        for _ in range(5):
            stack = await self.makeStack(self.host, encapsulation=port or 0)
            port = stack.encapsulation_port
            server, client = self.recorder(), self.recorder()
            listening = stack.open(0, server, (self.host,))
            association = stack.open(0, client, (self.host,)).connect(
                TransportAddress((self.host,), listening.port, port)
            )
            association.send(b"x")
            await self.until(lambda server=server: bool(server.received))  # type: ignore[misc]
            await stack.close()
            self.assertEqual(1, len(client.lost))

    async def test_opened_while_closing(self) -> None:
        """Opening does not have to wait until closing is done."""
        stack = await self.makeStack(self.host)
        closed = stack.close()
        await deferLater(reactor, 0)  # type: ignore[arg-type]
        again = await self.makeStack(self.host)
        await closed
        endpoint = again.open(0, self.recorder(), (self.host,))
        self.assertGreater(endpoint.port, 0)

    def test_backend_unknown(self) -> None:
        """A backend that there is not: a sentence that names those that there are."""
        error = self.assertRaises(ConfigurationError, open_stack, reactor, backend="carrier-pigeon")
        self.assertIn("usrsctp", str(error))


class AddressTests(UsrsctpTestCase):
    """Which of our addresses is reached."""

    async def test_other_address(self) -> None:
        """An endpoint is reached at its own addresses only, even though its process has others."""
        stack = await self.makeStack("127.0.0.1", "127.0.0.2")
        server = stack.open(0, self.recorder(), ("127.0.0.1",))
        recorder = self.recorder()
        client = stack.open(0, recorder, ("127.0.0.2",))
        client.connect(TransportAddress(("127.0.0.2",), server.port, stack.encapsulation_port))
        await self.until(lambda: bool(recorder.lost))
        client.connect(TransportAddress(("127.0.0.1",), server.port, stack.encapsulation_port))
        await self.until(lambda: bool(recorder.up))
        self.assertEqual([ConnectionRefusedError], recorder.reasons)

    async def _wildcard(self, wildcard: str, dialled: str, dialling: str) -> None:
        wild = await self.makeStack(wildcard)
        server, accepting = wild.open(0, self.recorder(), (wildcard,)), None
        accepting = server.handler
        stack = await self.makeStack(dialling)
        recorder = self.recorder()
        client = stack.open(0, recorder, (dialling,))
        association = client.connect(TransportAddress((dialled,), server.port, wild.encapsulation_port))
        association.send(b"x")
        await self.until(lambda: bool(accepting.received))
        accepted = accepting.up[0]
        self.assertEqual(((dialled,), (dialling,)), (accepted.local_addresses, accepted.peer_addresses))
        accepted.send(b"y")
        await self.until(lambda: bool(recorder.received))
        outbound = server.connect(TransportAddress((dialling,), client.port, stack.encapsulation_port))
        if dialled == dialling:
            await self.until(lambda: bool(accepting.lost))
        else:
            # From another address of ours this is another association.
            await self.until(lambda: len(accepting.up) == 2)
            self.assertEqual((dialling,), outbound.peer_addresses)

    async def test_wildcard(self) -> None:
        """A stack on all addresses answers from the address that was dialled."""
        await self._wildcard("0.0.0.0", "127.0.0.7", "127.0.0.3")

    async def test_wildcard_ipv6(self) -> None:
        """The same over IPv6."""
        await self._wildcard("::", "::1", "::1")

    async def test_no_route(self) -> None:
        """A peer that cannot be reached from our addresses is given up like one that does not answer."""
        stack = await self.makeStack("127.0.0.1", profile=FAST)
        recorder = self.recorder()
        endpoint = stack.open(0, recorder, ("127.0.0.1",))
        endpoint.connect(TransportAddress(("::1",), 3863))
        endpoint.connect(TransportAddress(("192.0.2.1",), 3863))
        await self.until(lambda: len(recorder.lost) == 2)
        self.assertEqual([TimeoutError] * 2, recorder.reasons)

    async def test_next_host(self) -> None:
        """Of several hosts of a peer each is tried, in their order, until one answers."""
        server, accepting = await self.open()
        stack = await self.makeStack("127.0.0.1", "::1")
        recorder = self.recorder()
        client = stack.open(0, recorder, ("127.0.0.1", "::1"))
        peer = TransportAddress(("127.0.98.1", "::1", "127.0.0.1"), server.port, self.address(server).encapsulation)
        association = client.connect(peer)
        association.send(b"found")
        await self.until(lambda: bool(accepting.received))
        self.assertEqual(([], ("127.0.0.1",)), (recorder.lost, association.peer_addresses))
        self.assertIs(peer, association.peer)
        client.connect(TransportAddress(peer.hosts[:2], server.port, peer.encapsulation))
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionRefusedError], recorder.reasons)

    async def test_itself(self) -> None:
        """An endpoint that dials its own address is told that this does not work, or works; it does not suffer."""
        server, accepting = await self.open()
        server.connect(self.address(server))
        await self.until(lambda: bool(accepting.lost or accepting.up))
        await self.settle()

    async def test_process_gone(self) -> None:
        """Nobody has the UDP port: refused at once (ICMP), long before a timer runs out."""
        stack = await self.makeStack("127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
        recorder = self.recorder()
        stack.open(0, recorder, ("127.0.0.1",)).connect(TransportAddress(("127.0.0.1",), 3863, port))
        engine = stack.engine
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionRefusedError], recorder.reasons)
        self.assertEqual([], [peer for peer in engine.peers.by_handle.values() if peer.users])


class IdleTests(UsrsctpTestCase):
    """Without associations nothing wakes the process up."""

    async def test_no_calls(self) -> None:
        """There are no delayed calls before the first association and soon after the last one."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        self.assertEqual([], reactor.getDelayedCalls()[1:])  # type: ignore[attr-defined]
        association = client.connect(self.address(server))
        await self.until(lambda: bool(connecting.up and accepting.up))
        self.assertTrue(client.engine.clock.alarm)
        association.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        while client.engine.clock.alarm:
            await deferLater(reactor, 0)  # type: ignore[arg-type]
        client.connect(self.address(server, 1))
        await self.until(lambda: len(connecting.lost) == 2)
        while client.engine.clock.alarm:
            await deferLater(reactor, 0)  # type: ignore[arg-type]


class OptionTests(UsrsctpTestCase):
    """What the library was told, as it tells itself."""

    def _interval(self, association: Any) -> int:
        """Of its path, which is what counts."""
        ours, peer = association.endpoint.engine.library, association.endpoint.socket.peer(association.identifier)
        parameters = ours.struct("sctp_paddrparams", spp_address={})
        there = ours.struct(
            "sockaddr_conn",
            sconn_family=library.AF_CONN,
            sconn_port=socket.htons(association.peer.port),
            sconn_addr=peer[0],
        )
        ours.ffi.memmove(ours.ffi.addressof(parameters[0], "spp_address"), there, ours.ffi.sizeof(there[0]))
        length = ours.ffi.new("uint32_t *", ours.ffi.sizeof(parameters[0]))
        failed = ours.lib.usrsctp_getsockopt(
            association.endpoint.socket.so, library.IPPROTO_SCTP, library.SCTP_PEER_ADDR_PARAMS, parameters, length
        )
        self.assertFalse(failed)
        return int(parameters.spp_hbinterval)

    async def test_heartbeat_interval(self) -> None:
        """A new heartbeat interval holds for present and for future associations."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        client.connect(self.address(server))
        await self.until(lambda: bool(accepting.up))
        self.assertEqual(round(DEFAULT.heartbeat_interval * 1000), self._interval(accepting.up[0]))
        server.setHeartbeat(3.5)
        self.assertEqual(3500, self._interval(accepting.up[0]))
        other, _ = await self.open()
        other.connect(self.address(server))
        await self.until(lambda: len(accepting.up) == 2)
        self.assertEqual(3500, self._interval(accepting.up[1]))

    async def test_no_delay(self) -> None:
        """A shutdown with data under way leaves Nagle's algorithm off for the other associations of the endpoint."""
        association, _, _, accepting = await self.pair()
        ours, so = association.endpoint.engine.library, association.endpoint.socket.so
        association.send(bytes(MAX_MESSAGE))
        association.close()
        value, length = ours.ffi.new("uint32_t *"), ours.ffi.new("uint32_t *", 4)
        self.assertFalse(ours.lib.usrsctp_getsockopt(so, library.IPPROTO_SCTP, library.SCTP_NODELAY, value, length))
        self.assertEqual(1, value[0])
        await self.until(lambda: bool(accepting.lost))


class LibraryTests(SynchronousTestCase):
    """A library that is missing or not ours is a sentence, not a crash."""

    def test_missing(self) -> None:
        """It says what to install."""
        error = self.assertRaises(SctpUnavailable, library.load, "libnosuchthing.so.2")
        self.assertIn("apt-get install libusrsctp2", str(error))
        self.assertNotIn("\n", str(error))

    def test_another(self) -> None:
        """A library without the functions that we need."""
        error = self.assertRaises(SctpUnavailable, library.load, "libc.so.6")
        self.assertIn("usrsctp_", str(error))

    def test_sizes(self) -> None:
        """A structure of another size than usrsctp.h has."""
        self.patch(library, "_SIZES", {**library._SIZES, "sctp_rcvinfo": 32})
        library.load.cache_clear()
        self.addCleanup(library.load.cache_clear)
        error = self.assertRaises(SctpUnavailable, library.load)
        self.assertIn("sctp_rcvinfo", str(error))


class PacketTests(SynchronousTestCase):
    """The ABORT that answers a packet (RFC 9260 section 8.4)."""

    def setUp(self) -> None:
        try:
            self.library = library.load()
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None

    def test_data(self) -> None:
        """The tag is reflected, with the T bit."""
        answer = abort_for(self.library, struct.pack("!HHII", 1, 2, 0xABCDEF01, 0) + b"\0\3\0\x04")
        assert answer is not None
        self.assertEqual(struct.pack("!HHI", 2, 1, 0xABCDEF01), answer[:8])
        self.assertEqual(b"\6\1\0\4", answer[12:])

    def test_init(self) -> None:
        """An INIT is answered with its initiate tag."""
        answer = abort_for(self.library, struct.pack("!HHII", 1, 2, 0, 0) + b"\1\0\0\x14" + b"tag!" + bytes(12))
        assert answer is not None
        self.assertEqual(struct.pack("!HH", 2, 1) + b"tag!", answer[:8])
        self.assertEqual(b"\6\0\0\4", answer[12:])

    def test_nothing(self) -> None:
        """An ABORT is not answered, nor what is cut off too early."""
        packet = struct.pack("!HHII", 1, 2, 3, 0)
        for rest in (b"", b"\0\3\0", b"\6\0\0\4", b"\1\0\0\x14", b"\1\0\0\x14tag"):
            self.assertIsNone(abort_for(self.library, packet + rest))
