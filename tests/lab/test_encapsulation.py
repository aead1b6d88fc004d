"""SCTP over UDP between kernels and usrsctp (RFC 6951): processes of both kinds in one scope."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from rserpool.core import ConfigurationError, TcpTransport, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.sctp import ISctpStack, open_stack
from rserpool.user import PoolUserService
from tests.lab import LabTests
from tests.lab.networks import Host, Networks, receive_over_udp
from tests.sctp.harness import Recorder, SctpHarness

UDP_PORT = Path("/proc/sys/net/sctp/udp_port")


class EncapsulationCase(LabTests, SctpHarness, TestCase):
    """Hosts of both kinds; those with the kernel's SCTP receive it over UDP, too."""

    def setUp(self) -> None:
        super().setUp()
        networks = Networks(self, 1)
        self.kernels, self.usrsctps = networks.hosts(2), networks.hosts(2)
        for host in self.kernels:
            receive_over_udp(host)

    def backend(self, host: Host) -> str:
        """What speaks SCTP at a host."""
        return "kernel" if host in self.kernels else "usrsctp"


class AssociationTests(EncapsulationCase):
    """Single associations."""

    def at(self, host: Host) -> tuple[ISctpStack, object, Recorder]:
        """An endpoint."""
        with host:
            stack = open_stack(reactor, backend=self.backend(host), hosts=host.addresses, profile=FAST, registrar=True)
            self.addCleanup(lambda: Deferred.fromCoroutine(self.fired(stack.close())))
            recorder = self.recorder()
            return stack, stack.open(0, recorder, host.addresses), recorder

    async def dialled(self, server: Host, client: Host) -> None:
        """One host dials another; both know how to dial back, and messages of all sizes go both ways."""
        stack, endpoint, accepting = self.at(server)
        _, caller, connecting = self.at(client)
        self.assertEqual(9899, stack.encapsulation_port)
        peer = TransportAddress(server.addresses, endpoint.port, 9899)  # type: ignore[attr-defined]
        association = caller.connect(peer)  # type: ignore[attr-defined]
        await self.until(lambda: bool(connecting.up and accepting.up))
        accepted = accepting.up[0]
        self.assertEqual(9899, accepted.peer.encapsulation)
        messages = [bytes([size % 251]) * size for size in (1, 1400, 1500, 9000, 65536)]
        for message in messages:
            association.send(message)
            accepted.send(message)
        await self.until(lambda: len(accepting.received) == len(connecting.received) == len(messages))
        self.assertEqual((messages, messages), (accepting.data, connecting.data))
        association.close()
        await self.until(lambda: bool(accepting.lost and connecting.lost))

    async def test_kernel_dials(self) -> None:
        """A kernel dials usrsctp."""
        await self.dialled(self.usrsctps[0], self.kernels[0])

    async def test_usrsctp_dials(self) -> None:
        """usrsctp dials a kernel."""
        await self.dialled(self.kernels[0], self.usrsctps[0])

    async def test_kernels_over_udp(self) -> None:
        """Two kernels speak over UDP where they are told to."""
        await self.dialled(self.kernels[0], self.kernels[1])

    async def test_plain_beside_it(self) -> None:
        """A kernel that receives SCTP over UDP still speaks plain SCTP with others."""
        _, endpoint, accepting = self.at(self.kernels[0])
        _, caller, _ = self.at(self.kernels[1])
        peer = TransportAddress(self.kernels[0].addresses, endpoint.port)  # type: ignore[attr-defined]
        caller.connect(peer)  # type: ignore[attr-defined]
        await self.until(lambda: bool(accepting.up))
        self.assertEqual(0, accepting.up[0].peer.encapsulation)


class ChoiceTests(EncapsulationCase):
    """What C{auto} takes."""

    async def test_towards_udp(self) -> None:
        """Whoever dials a peer at a UDP port takes the kernel only if it speaks SCTP over UDP."""
        chosen = []
        for value, towards in (("9899", True), ("0", True), ("0", False)):
            with self.kernels[0] as host:
                UDP_PORT.write_text(value)
                stack = open_stack(reactor, hosts=host.addresses, towards_udp=towards)
            chosen.append(stack.name)
            await stack.close()
        self.assertEqual(["kernel", "usrsctp", "kernel"], chosen)

    async def test_port_of_the_system(self) -> None:
        """A UDP port is the kernel's or not: auto takes usrsctp for another one, kernel says what to do."""
        with self.kernels[0] as host:
            for port, expected in ((9899, "kernel"), (9898, "usrsctp"), (0, "kernel"), (None, "kernel")):
                stack = open_stack(reactor, hosts=host.addresses, encapsulation=port)
                self.assertEqual(expected, stack.name)
                await stack.close()
            refused = self.assertRaises(
                ConfigurationError, open_stack, reactor, backend="kernel", hosts=host.addresses, encapsulation=9898
            )
        self.assertIn("sysctl net.sctp.udp_port=9898", str(refused))


class MixedScopeTests(EncapsulationCase):
    """Registrars, elements and users of both kinds."""

    timeout = 60

    def registrar(self, host: Host, *peers: Host) -> RegistrarService:
        """Start a registrar."""
        with host:
            service = RegistrarService(
                reactor,
                asap=TransportAddress(host.addresses, 3863),
                peers=[TransportAddress(peer.addresses, 9901, 9899) for peer in peers],
                profile=FAST,
                backend=self.backend(host),
            )
            service.startService()
        self.addCleanup(service.stopService)
        return service

    def element(self, host: Host, *registrars: Host) -> PoolElementService:
        """Start an element."""
        where = [TransportAddress(registrar.addresses, 3863, 9899) for registrar in registrars]
        with host:
            service = PoolElementService(
                reactor, checked=False, registrars=where, profile=FAST, backend=self.backend(host)
            )
            service.startService()
        self.addCleanup(service.stopService)
        return service

    def user(self, host: Host, *registrars: Host) -> PoolUserService:
        """Start a user."""
        where = [TransportAddress(registrar.addresses, 3863, 9899) for registrar in registrars]
        with host:
            service = PoolUserService(
                reactor, registrars=where, profile=FAST, backend=self.backend(host), transport="sctp"
            )
            service.startService()
        self.addCleanup(service.stopService)
        return service

    async def one_scope(self, registrar: Host, element: Host, user: Host) -> None:
        """Register and resolve."""
        service = self.registrar(registrar)
        serving, asking = self.element(element, registrar), self.user(user, registrar)
        with element:
            identifier = await serving.serve("www", TcpTransport(80, element.addresses[0]))
        [found] = (await asking.resolve("www")).elements
        self.assertEqual((identifier, service.registrar.identifier), (found.identifier, found.home))
        await serving.leave("www")

    async def test_registrar_over_kernel(self) -> None:
        """The registrar uses the kernel's SCTP; element and user are usrsctp's."""
        await self.one_scope(self.kernels[0], self.usrsctps[0], self.usrsctps[1])

    async def test_registrar_over_usrsctp(self) -> None:
        """The registrar uses usrsctp; element and user the kernel's SCTP."""
        await self.one_scope(self.usrsctps[0], self.kernels[0], self.kernels[1])

    async def took_over(self, first: Host, second: Host, element: Host) -> None:
        """Two registrars are peers; when the first is gone the second takes the element over, by dialling it."""
        one = self.registrar(first)
        other = self.registrar(second, first)
        await self.soon(lambda: other.registrar.peering.ready and bool(one.registrar.peering.peers.connected))
        serving = self.element(element, first)
        with element:
            identifier = await serving.serve("www", TcpTransport(80, element.addresses[0]))
        await self.soon(lambda: len(other.registrar.handlespace) == 1)
        one.node.stop()
        for endpoint in one.node.endpoints:
            endpoint.abort()
        [known] = other.registrar.handlespace.owned_by(one.registrar.identifier)
        self.assertEqual(identifier, known.identifier)
        mine = other.registrar.identifier
        await self.soon(lambda: bool(list(other.registrar.handlespace.owned_by(mine))))
        await self.soon(lambda: serving.element.home_identifier == mine)

    async def soon(self, condition: Callable[[], bool]) -> None:
        """Look until it is so."""
        while not condition():
            await deferLater(reactor, 0.02)

    async def test_takeover_by_kernel(self) -> None:
        """A registrar over the kernel takes over an element of usrsctp from one of usrsctp."""
        await self.took_over(self.usrsctps[0], self.kernels[0], self.usrsctps[1])

    async def test_takeover_by_usrsctp(self) -> None:
        """A registrar over usrsctp takes over an element of the kernel from one of the kernel."""
        await self.took_over(self.kernels[0], self.usrsctps[0], self.kernels[1])
