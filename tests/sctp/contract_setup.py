"""Contract of the SCTP backends: how associations come up (RFC 9260 section 5)."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
)
from zope.interface.verify import verifyObject

from rserpool.core import TransportAddress
from rserpool.sctp import ISctpAssociation, ISctpEndpoint, ISctpStack
from rserpool.sctp.base import PPID_ASAP
from tests.sctp.harness import SctpHarness


class SetUpContract(SctpHarness):
    """Set-up."""

    async def test_interfaces(self) -> None:
        """Stack, endpoint and association offer what the interfaces promise."""
        server, _ = await self.open()
        association, *_ = await self.pair()
        verifyObject(ISctpStack, self.stack_of(server))
        verifyObject(ISctpEndpoint, server)
        verifyObject(ISctpAssociation, association)

    async def test_up(self) -> None:
        """Both ends are told once that an association is up."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        self.assertFalse(association.established)
        await self.until(lambda: bool(connecting.up and accepting.up))
        self.assertEqual([association], connecting.up)
        self.assertEqual(
            (True, True, True, False),
            (association.established, association.outbound, accepting.up[0].established, accepting.up[0].outbound),
        )
        self.assertEqual((1, 1), (client.associations, server.associations))

    async def _addresses(self, host: str) -> None:
        server, accepting = await self.open(host=host)
        client, connecting = await self.open(host=host)
        dialled = self.address(server)
        association = client.connect(dialled)
        await self.until(lambda: bool(connecting.up and accepting.up))
        accepted = accepting.up[0]
        self.assertIs(dialled, association.peer)
        self.assertEqual(
            TransportAddress((host,), client.port, self.stack_of(client).encapsulation_port), accepted.peer
        )
        for end in (association, accepted):
            self.assertEqual(((host,), (host,)), (end.peer_addresses, end.local_addresses))
        self.assertEqual((host,), server.hosts)
        association.send(b"hello", PPID_ASAP)
        await self.until(lambda: bool(accepting.received))
        accepted.send(b"hello yourself", PPID_ASAP)
        await self.until(lambda: bool(connecting.received))
        self.assertEqual(([b"hello"], [b"hello yourself"]), (accepting.data, connecting.data))

    async def test_ipv4(self) -> None:
        """Both ends know both ends' addresses, SCTP ports and UDP ports over IPv4, and exchange messages."""
        await self._addresses(self.host)

    async def test_ipv6(self) -> None:
        """The same over IPv6."""
        await self._addresses(self.host6)

    async def test_refused(self) -> None:
        """Where nobody listens, the connect is refused, once."""
        server, _ = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server, port=server.port + 7))
        await self.until(lambda: bool(connecting.lost))
        await self.settle()
        self.assertEqual(([ConnectionRefusedError], []), (connecting.reasons, connecting.up))
        self.assertIs(association, connecting.lost[0][0])
        self.assertEqual(0, client.associations)

    async def test_not_listening(self) -> None:
        """An endpoint that was opened with C{listening=False} refuses, and goes on."""
        deaf, nothing = await self.open(listening=False)
        client, connecting = await self.open()
        client.connect(self.address(deaf))
        await self.until(lambda: bool(connecting.lost))
        self.assertEqual([ConnectionRefusedError], connecting.reasons)
        self.assertTrue(nothing.silent)
        deaf.connect(self.address(client))
        await self.until(lambda: bool(nothing.up))

    async def test_no_callback_during_calls(self) -> None:
        """connect, close and abort return before the handler hears of anything."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        client.connect(self.address(server, port=server.port + 7))
        self.assertTrue(connecting.silent)
        await self.until(lambda: bool(connecting.up and connecting.lost and accepting.up))
        accepting.up[0].close()
        self.assertFalse(accepting.lost)
        await self.until(lambda: len(connecting.lost) == 2 and len(accepting.lost) == 1)
        association = client.connect(self.address(server))
        await self.until(lambda: len(connecting.up) == 2)
        association.abort()
        self.assertEqual(2, len(connecting.lost))
        await self.until(lambda: len(connecting.lost) == 3)

    async def test_dialled_where_it_dials_from(self) -> None:
        """An endpoint listens and connects at once: whom it called, and others, can call its address as it was seen.

        A registrar that takes over pool elements depends on this (RFC 5353 section 3.5).
        """
        element, here = await self.open()
        home, first = await self.open()
        other, second = await self.open()
        element.connect(self.address(home))
        await self.until(lambda: bool(first.up))
        seen = first.up[0].peer
        other.connect(seen).send(b"adopted")
        await self.until(lambda: bool(here.received))
        self.assertEqual([b"adopted"], here.data)
        first.up[0].send(b"still here")
        await self.until(lambda: len(here.received) == 2)
        self.assertEqual((2, []), (element.associations, here.lost))
        self.assertIsNot(here.senders[0], here.senders[1])

    async def test_both_dial_at_once(self) -> None:
        """Two endpoints that dial each other at once have one association."""
        one, ours = await self.open()
        two, theirs = await self.open()
        mine = one.connect(self.address(two))
        yours = two.connect(self.address(one))
        await self.until(lambda: bool(ours.up and theirs.up))
        mine.send(b"from one")
        yours.send(b"from two")
        await self.until(lambda: bool(ours.received and theirs.received))
        await self.settle()
        self.assertEqual(([mine], [yours]), (ours.up, theirs.up))
        self.assertEqual(([b"from two"], [b"from one"]), (ours.data, theirs.data))
        self.assertEqual((1, 1, [], []), (one.associations, two.associations, ours.lost, theirs.lost))

    async def test_connect_twice(self) -> None:
        """A second connect to the same peer fails; the first association lives on."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        first = client.connect(self.address(server))
        second = client.connect(self.address(server))
        await self.until(lambda: bool(connecting.up and connecting.lost))
        self.assertEqual(([first], second), (connecting.up, connecting.lost[0][0]))
        connecting.lost[0][1].trap(ConnectError)
        first.send(b"lives")
        await self.until(lambda: bool(accepting.received))
        self.assertEqual(1, len(accepting.up))
