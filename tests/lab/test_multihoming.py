"""Associations over two networks of which one fails (RFC 9260 section 6.4, 8.2): nothing is lost, nobody is removed."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater

from rserpool.core import SctpTransport, TransportAddress
from rserpool.core.profiles import FAST, RFC
from rserpool.core.wire.parameters import DATA_ONLY
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.user import PoolUserService
from tests.lab.multihomed import MultihomedCase

PPID = 4711
"""Of nobody: the lab checks what bears the PPIDs of ASAP and ENRP."""


class PathTests(MultihomedCase):
    """One association, two paths."""

    async def test_addresses(self) -> None:
        """Both ends know all addresses of both (bindx, connectx)."""
        association, _, accepted, _ = await self.up()
        for end, own, other in ((association, self.there, self.here), (accepted, self.here, self.there)):
            self.assertEqual(set(own.addresses), set(end.local_addresses))
            self.assertEqual(set(other.addresses), set(end.peer_addresses))
        self.assertEqual(set(self.there.addresses), set(accepted.peer.hosts))

    async def test_an_address_that_is_not_proved(self) -> None:
        """Who comes names an address that it cannot be reached at: that is told, until it can."""
        server, accepting = await self.at(self.here)
        client, connecting = await self.at(self.there)
        self.networks.cut(1, self.there)
        client.connect(TransportAddress(self.here.addresses[:1], server.port))
        await self.until(lambda: bool(connecting.up and accepting.up))
        accepted = accepting.up[0]
        self.assertEqual(set(self.there.addresses), set(accepted.peer_addresses))
        self.assertEqual((self.there.addresses[1],), accepted.unconfirmed_addresses)
        self.networks.mend(1, self.there)
        await self.until(lambda: not accepted.unconfirmed_addresses)
        self.assertEqual(([], []), (connecting.lost, accepting.lost))

    async def test_both_families(self) -> None:
        """An association has IPv4 and IPv6 addresses, and goes on over one family when the other's network fails."""
        ours = (self.here.addresses[0], self.here.addresses6[1])
        theirs = (self.there.addresses[0], self.there.addresses6[1])
        server, accepting = await self.at(self.here, *ours)
        client, connecting = await self.at(self.there, *theirs)
        association = client.connect(TransportAddress(ours, server.port))
        await self.until(lambda: bool(connecting.up and accepting.up))
        accepted = accepting.up[0]
        self.assertEqual((set(ours), set(theirs)), (set(association.peer_addresses), set(association.local_addresses)))
        self.assertEqual((set(theirs), set(ours)), (set(accepted.peer_addresses), set(accepted.local_addresses)))
        self.networks.cut(0)
        accepted.send(b"over the other")
        await self.until(lambda: bool(connecting.received))
        self.assertEqual(([], []), (connecting.lost, accepting.lost))

    async def test_wildcard(self) -> None:
        """An endpoint at all addresses is dialled at one, and reached at all of one family or both."""
        for wild, expected in (
            (("0.0.0.0",), {*self.here.addresses}),
            (("::",), {*self.here.addresses6}),
            (("0.0.0.0", "::"), {*self.here.addresses, *self.here.addresses6}),
        ):
            server, accepting = await self.at(self.here, *wild)
            client, connecting = await self.at(self.there, "0.0.0.0", "::")
            dialled = self.here.addresses6[1] if wild == ("::",) else self.here.addresses[1]
            association = client.connect(TransportAddress((dialled,), server.port))
            await self.until(lambda a=accepting, c=connecting: bool(a.up and c.up))  # type: ignore[misc]
            self.assertEqual(expected, {h for h in association.peer_addresses if not h.startswith("fe80")})

    async def test_second_address_dialled(self) -> None:
        """A set-up succeeds when the first of the peer's addresses cannot be reached (connectx)."""
        server, accepting = await self.at(self.here)
        client, connecting = await self.at(self.there)
        self.networks.cut(0)
        client.connect(TransportAddress(self.here.addresses, server.port)).send(b"by the other way")
        await self.until(lambda: bool(accepting.received))
        self.assertEqual([b"by the other way"], accepting.data)

    async def test_primary_lost(self) -> None:
        """The primary path fails in the middle of a stream: no message is lost, doubled or out of order."""
        association, connecting, accepted, accepting = await self.up()
        messages = [f"{i}".encode() * 300 for i in range(600)]
        for message in messages[:300]:
            association.send(message, PPID)
        await self.until(lambda: len(accepting.received) > 50)
        self.networks.cut(self.here.addresses.index(association.peer_addresses[0]))
        for message in messages[300:]:
            association.send(message, PPID)
            accepted.send(message, PPID)
        await self.until(lambda: len(accepting.received) == 600 and len(connecting.received) == 300)
        self.assertEqual((messages, messages[300:]), (accepting.data, connecting.data))
        self.assertEqual(([], [], []), (connecting.lost, accepting.lost, connecting.failed))

    async def test_path_events(self) -> None:
        """A path that fails is reported at both ends, and so is its return."""
        _, connecting, _, accepting = await self.up()
        # Who accepts verifies the addresses that it was told; who dials knows them.
        await self.until(lambda: bool(accepting.paths))
        self.networks.cut(1)
        await self.until(lambda: bool(connecting.paths and accepting.paths[1:]))
        here, there = self.here.addresses[1], self.there.addresses[1]
        self.networks.mend(1)
        await self.until(lambda: len(connecting.paths) == 2 and len(accepting.paths) == 3)
        self.assertEqual([(here, False), (here, True)], connecting.paths)
        self.assertEqual([(there, True), (there, False), (there, True)], accepting.paths)
        self.assertEqual(([], []), (connecting.lost, accepting.lost))

    async def test_round_trip(self) -> None:
        """The smoothed round trip time is in seconds, whatever the kernel's clock counts in."""
        for network in range(2):
            self.networks.netem(network, self.there, "delay", "30ms")
        association, _, accepted, accepting = await self.up()
        for count in range(1, 20):
            association.send(b"there")
            accepted.send(b"and back")
            await self.until(lambda count=count: len(accepting.received) == count)  # type: ignore[misc]
        for end in (association, accepted):
            self.assertGreater(end.smoothed_round_trip, 0.05)
            self.assertLess(end.smoothed_round_trip, 0.12)

    async def test_all_paths_lost(self) -> None:
        """When all paths fail the association is lost; what was under way has failed before that, each once."""
        association, connecting, _, accepting = await self.up()
        for network in range(2):
            self.networks.cut(network)
        failed_when_lost: list[int] = []
        connecting.on_lost = lambda association: failed_when_lost.append(len(connecting.failed))
        messages = [f"{i}".encode() * 100 for i in range(50)]
        for message in messages:
            association.send(message, PPID)
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual(sorted((message, PPID) for message in messages), sorted(connecting.failed))
        self.assertEqual([50], failed_when_lost)
        self.assertEqual([], accepting.received)


class RestartTests(MultihomedCase):
    """A peer that comes back before anybody knew that it had gone (RFC 9260 section 5.2)."""

    async def test_restart(self) -> None:
        """The old association is lost, and the new one, from the same port, is another."""
        server, accepting = await self.at(self.here, profile=RFC)
        client, connecting = await self.at(self.there)
        peer = TransportAddress(self.here.addresses, server.port)
        client.connect(peer)
        await self.until(lambda: bool(connecting.up and accepting.up))
        for network in range(2):
            self.networks.cut(network)
        # Its ABORT reaches nobody.
        client.abort()
        await self.until(lambda: bool(connecting.lost))
        for network in range(2):
            self.networks.mend(network)
        again, _ = await self.at(self.there, port=client.port)
        again.connect(peer).send(b"as new")
        await self.until(lambda: bool(accepting.received))
        old, new = accepting.up
        self.assertEqual([(old, ConnectionLost)], [(end, reason.type) for end, reason in accepting.lost])
        self.assertEqual([new], accepting.senders)
        new.send(b"welcome back")
        self.assertEqual(1, server.associations)


class ScopeTests(MultihomedCase):
    """A registrar, an element and a user, each on two networks."""

    timeout = 60

    def serve(self) -> None:
        """Start them."""
        self.user_host = self.networks.hosts(1)[0]
        with self.here:
            self.registrar = RegistrarService(
                reactor, asap=TransportAddress(self.here.addresses, 3863), profile=FAST, backend="kernel"
            )
            self.registrar.startService()
        self.addCleanup(self.registrar.stopService)
        where = [TransportAddress(self.here.addresses, 3863)]
        with self.there:
            self.element = PoolElementService(reactor, checked=False, registrars=where, profile=FAST, backend="kernel")
            self.element.startService()
        self.addCleanup(self.element.stopService)
        with self.user_host:
            self.user = PoolUserService(reactor, registrars=where, profile=FAST, backend="kernel")
            self.user.startService()
        self.addCleanup(self.user.stopService)

    async def test_network_lost(self) -> None:
        """A registration names all addresses; with one network gone nobody is removed, and questions are answered."""
        self.serve()
        transport = SctpTransport(7000, DATA_ONLY, self.there.addresses)
        with self.there:
            identifier = await self.element.serve("www", transport)
        resolved = await self.user.resolve("www")
        self.assertEqual([transport], [element.user_transport for element in resolved.elements])
        paths = self.registrar.node.paths

        async def asked_until(condition: Callable[[], bool]) -> None:
            while not condition():
                resolved = await self.user.resolve("www", fresh=True)
                self.assertEqual([identifier], [element.identifier for element in resolved.elements])
                await deferLater(reactor, 0.02)

        # Each of them came with a second address.
        await asked_until(lambda: paths.counts["verified"] == 2)
        self.networks.cut(0)
        await asked_until(lambda: paths.down == 2)
        with self.there:
            self.element.change("www", transport=transport)
        resolved = await self.user.resolve("www", fresh=True)
        self.assertEqual([identifier], [element.identifier for element in resolved.elements])
        self.assertEqual((2, 0), (paths.counts["lost"], paths.counts["restored"]))
        self.assertEqual(1, len(self.registrar.registrar.handlespace))
        await self.element.leave("www")
