"""Associations follow the addresses of their hosts, and registrations do (RFC 5061)."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from rserpool.core import SctpTransport, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.core.wire.parameters import DATA_ONLY
from rserpool.element import PoolElementService
from rserpool.node.own_addresses import OwnAddresses, present_hosts
from rserpool.registrar import RegistrarService
from tests.lab.multihomed import MultihomedCase
from tests.lab.networks import Host, ip


class AddressCase(MultihomedCase):
    """Hosts whose addresses come and go, and whose kernels tell their peers."""

    def setUp(self) -> None:
        super().setUp()
        self.fresh = self.there.addresses[0] + "00"
        for host in (self.here, self.there):
            with host:
                for name, value in (("addip_enable", "1"), ("addip_noauth_enable", "1")):
                    Path(f"/proc/sys/net/sctp/{name}").write_text(value)
                # Others of the same network do not go with the first.
                Path("/proc/sys/net/ipv4/conf/all/promote_secondaries").write_text("1")

    def gain(self, host: Host, address: str) -> None:
        """A host has one more address on the first network."""
        ip(f"addr add {address}/24 dev {host.interface(0)}", host=host)

    def lose(self, host: Host, address: str) -> None:
        """A host has it no longer."""
        ip(f"addr del {address}/24 dev {host.interface(0)}", host=host)


class AddressTests(AddressCase):
    """Associations follow the addresses of their hosts (RFC 5061)."""

    async def test_address_changed(self) -> None:
        """An endpoint gains an address and loses one: its peer knows, and messages go on."""
        server, accepting = await self.at(self.here)
        client, connecting = await self.at(self.there)
        association = client.connect(TransportAddress(self.here.addresses, server.port))
        await self.until(lambda: bool(connecting.up and accepting.up))
        self.gain(self.there, self.fresh)
        self.assertTrue(client.changeHosts((*self.there.addresses, self.fresh)))
        await self.until(lambda: bool(accepting.addresses))
        self.assertEqual({*self.there.addresses, self.fresh}, set(accepting.addresses[-1]))
        left = (self.there.addresses[1], self.fresh)
        self.lose(self.there, self.there.addresses[0])
        self.assertTrue(client.changeHosts(left))
        await self.until(lambda: set(accepting.addresses[-1]) == set(left))
        self.assertEqual((set(left), set(left)), (set(association.local_addresses), set(client.hosts)))
        association.send(b"still here")
        await self.until(lambda: bool(accepting.received))
        self.assertEqual(([], []), (accepting.lost, connecting.lost))

    async def test_address_of_nobody(self) -> None:
        """An address that is not there is not taken."""
        client, _ = await self.at(self.there)
        client.changeHosts((*self.there.addresses, "192.0.2.1"))
        self.assertEqual(self.there.addresses, client.hosts)


class OwnAddressTests(AddressCase):
    """What a host's addresses are, as they come and go."""

    async def test_changes(self) -> None:
        """Those of a family that reach beyond the host, in no burst of calls."""
        told: list[tuple[str, ...]] = []

        def changed(hosts: tuple[str, ...]) -> None:
            told.append(hosts)
            self._noticed()

        with self.there:
            own = OwnAddresses(reactor, ("0.0.0.0",), changed)
        own.start()
        self.addCleanup(own.stop)
        self.assertEqual(self.there.addresses, own.present)
        self.gain(self.there, self.fresh)
        self.gain(self.there, self.fresh[:-1] + "1")
        await self.until(lambda: bool(told))
        self.assertEqual([{*self.there.addresses, self.fresh, self.fresh[:-1] + "1"}], [set(hosts) for hosts in told])
        self.lose(self.there, self.there.addresses[0])
        await self.until(lambda: len(told) == 2)
        self.assertNotIn(self.there.addresses[0], told[1])
        with self.there:
            self.assertEqual(set(told[1]), set(present_hosts(("0.0.0.0",))))
            self.assertEqual(set(self.there.addresses6), set(present_hosts(("::",))))


class FollowingTests(AddressCase):
    """An element whose addresses change registers again."""

    timeout = 60

    async def test_registered_again(self) -> None:
        """The element at all addresses of its host: one comes, one goes, and the registration follows."""
        with self.here:
            self.registrar = RegistrarService(
                reactor, asap=TransportAddress(self.here.addresses, 3863), profile=FAST, backend="kernel"
            )
            self.registrar.startService()
        self.addCleanup(self.registrar.stopService)
        with self.there:
            self.element = PoolElementService(
                reactor,
                registrars=[TransportAddress(self.here.addresses, 3863)],
                hosts=("0.0.0.0",),
                checked=False,
                profile=FAST,
                backend="kernel",
            )
            self.element.startService()
            self.addCleanup(self.element.stopService)
            identifier = await self.element.serve("www", SctpTransport(7000, DATA_ONLY, self.element.hosts))

        def registered() -> set[str]:
            [element] = self.registrar.registrar.handlespace.owned_by(self.registrar.registrar.identifier)
            self.assertEqual(identifier, element.identifier)
            return set(element.parameter().user_transport.addresses)

        async def soon(addresses: set[str]) -> None:
            while registered() != addresses:
                await deferLater(reactor, 0.02)

        await soon(set(self.there.addresses))
        self.gain(self.there, self.fresh)
        await soon({*self.there.addresses, self.fresh})
        self.lose(self.there, self.there.addresses[0])
        await soon({self.there.addresses[1], self.fresh})
        self.assertEqual(2, self.registrar.node.paths.counts["changed"])
        await self.element.leave("www")
