"""Our private parameters at rsplib's registrar: it lives, works, and does not pass them on (docs/interop.md)."""

from __future__ import annotations

from pathlib import Path

from rserpool.core import PoolElementParameter
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import ServerInformation
from tests.lab.networks import Host, receive_over_udp
from tests.lab.rsplib import RsplibTests

OURS = 9898
"""The UDP port of our registrar's SCTP; it is not the well-known one, so it is told."""
ELEMENTS = 9897


class PrivateParameterTests(RsplibTests):
    """What only we understand."""

    def encapsulate(self, host: Host, remote: int) -> None:
        """The kernel of a host receives SCTP over UDP at 9899, and dials at that port of others."""
        receive_over_udp(host)
        with host:
            Path("/proc/sys/net/sctp/encap_port").write_text(str(remote))

    async def test_encapsulation(self) -> None:
        """It stands inside Server Information of our presences, and inside Pool Element of our tables."""
        ours, theirs, there, onlooker = self.networks.hosts(4)
        self.encapsulate(theirs, OURS)
        self.their_registrar(theirs, 2)
        registrar = await self.our_registrar(ours, 1, theirs, backend="usrsctp", encapsulation=OURS)
        with there:
            element = self.twistd(
                "rserpool-pe",
                "--pool=pool",
                "--identifier=7",
                f"--registrar={ours.addresses[0]}:3863/{OURS}",
                f"--address={there.addresses[0]}",
                "--backend=usrsctp",
                f"--udp-encapsulation={ELEMENTS}",
                "--",
                "served",
            )
        await element.says("pool: registered as")
        found = registrar.registrar.handlespace.find(b"pool", 7)
        assert found is not None
        self.assertEqual(ELEMENTS, found.parameter().encapsulation)
        peer = registrar.registrar.peering.peers.get(2)
        assert peer is not None
        # It works: theirs has the element, answers presences, and agrees.
        user = self.our_user(onlooker, theirs)
        await self.resolves(user, "pool", 7)
        [told] = (await user.resolve("pool", fresh=True)).elements
        self.assertEqual(0, told.encapsulation)
        # It does not pass them on: another registrar asks it for its peers and its table.
        second = await self.our_registrar(onlooker, 3, theirs)
        received = self.count(second.registrar.peering, "receive")
        await self.until(lambda: second.registrar.peering.ready)
        await self.holds(second, b"pool", 7)
        elements, servers = told_by(2, [message for _, message, _ in received])
        self.assertEqual({(7, 0)}, {(element.identifier, element.encapsulation) for element in elements})
        self.assertIn((1, 0), {(server.identifier, server.encapsulation) for server in servers})
        # And it lives.
        element.signal("TERM")
        await self.resolves(user, "pool")

    async def test_session_framing(self) -> None:
        """An element's own parameter, inside Pool Element of its registration."""
        where, there = self.networks.hosts(2)
        self.their_registrar(where, 2)
        element = self.our_element(there, where)
        await element.serve("pool", self.transport(there, 7777), identifier=7, framing=1)
        user = self.our_user(there, where)
        [told] = (await user.resolve("pool", fresh=True)).elements
        self.assertEqual((7, 0), (told.identifier, told.framing))


def told_by(sender: int, messages: list[object]) -> tuple[list[PoolElementParameter], list[ServerInformation]]:
    """The elements and registrars in the answers of one registrar."""
    elements: list[PoolElementParameter] = []
    servers: list[ServerInformation] = []
    for message in messages:
        if isinstance(message, enrp.HandleTableResponse) and message.sender == sender:
            elements += [element for entry in message.entries for element in entry.elements]
        if isinstance(message, enrp.ListResponse) and message.sender == sender:
            servers += message.servers
    return elements, servers
