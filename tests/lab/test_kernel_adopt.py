"""Sockets of the kernel's SCTP that a program has made itself are adopted by their descriptors."""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.trial.unittest import TestCase

from rserpool.core import TransportAddress
from rserpool.sctp import (
    ISctpHandler,
    adoptEndpoint,
    open_stack,
)
from rserpool.sctp.kernel import options, sockaddr
from rserpool.sctp.kernel.stack import KernelStack
from tests.lab import LabTests
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


class AdoptedContractTests(LabTests, KernelCase, TestCase):
    """Endpoints that are adopted keep the contract of all endpoints."""

    async def makeStack(self, *hosts: str) -> Any:
        stack: Any = await super().makeStack(*hosts)
        return Adopting(stack)


class AdoptedCase(LabTests, SctpHarness, TestCase):
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
