"""A host has another address: the sockets of SCTP over UDP follow."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost

from rserpool.core import TransportAddress
from tests.sctp.usrsctp_case import UsrsctpTestCase

OLD, NEW = "127.0.95.1", "127.0.95.2"


class MovingTests(UsrsctpTestCase):
    """An endpoint whose address is gone, and a server that stays where it is."""

    host = "127.0.95.3"

    async def test_moved(self) -> None:
        """Associations at the old address are lost at once; it is reached at the new one, and dials from there."""
        server, accepting = await self.open()
        stack = await self.makeStack(OLD)
        recorder, other = self.recorder(), self.recorder()
        endpoint, beside = stack.open(0, recorder, (OLD,)), stack.open(0, other, (OLD,))
        port = stack.encapsulation_port
        endpoint.connect(self.address(server))
        beside.connect(self.address(server))
        await self.until(lambda: bool(recorder.up and other.up))
        self.assertFalse(endpoint.changeHosts((NEW,)))
        self.assertEqual([], recorder.lost)
        await self.until(lambda: bool(recorder.lost and other.lost))
        self.assertEqual(([ConnectionLost], [ConnectionLost]), (recorder.reasons, other.reasons))
        self.assertEqual(((NEW,), (NEW,)), (endpoint.hosts, beside.hosts))
        again = endpoint.connect(self.address(server))
        await self.until(lambda: len(accepting.up) == 3)
        self.assertEqual(((NEW,), (NEW,)), (accepting.up[-1].peer_addresses, again.local_addresses))
        server.connect(TransportAddress((NEW,), beside.port, port))
        await self.until(lambda: len(other.up) == 2)
        # Nobody has the old address any more.
        self.udp(OLD, port)

    async def test_kept(self) -> None:
        """What is at an address that stays goes on; of several, one may come or go."""
        server, accepting = await self.open()
        stack = await self.makeStack(OLD)
        recorder = self.recorder()
        endpoint = stack.open(0, recorder, (OLD,))
        association = endpoint.connect(self.address(server))
        await self.until(lambda: bool(recorder.up))
        endpoint.changeHosts((OLD, NEW))
        association.send(b"still here")
        await self.until(lambda: bool(accepting.received))
        endpoint.changeHosts((OLD,))
        association.send(b"and now")
        await self.until(lambda: len(accepting.received) == 2)
        self.assertEqual([], recorder.lost)
        self.udp(NEW, stack.encapsulation_port)

    async def test_taken(self) -> None:
        """Where another process has the UDP port at the new address, all stays as it is, and the log says so."""
        stack = await self.makeStack(OLD)
        self.udp(NEW, stack.encapsulation_port)
        endpoint = stack.open(0, self.recorder(), (OLD,))
        self.assertFalse(endpoint.changeHosts((NEW,)))
        self.assertEqual((OLD,), endpoint.hosts)

    async def test_everywhere(self) -> None:
        """An endpoint at all addresses stays, and loses what is at one that is gone."""
        server, accepting = await self.open()
        stack = await self.makeStack("0.0.0.0")
        recorder = self.recorder()
        endpoint = stack.open(0, recorder, ("0.0.0.0",))
        endpoint.connect(self.address(server))
        await self.until(lambda: bool(recorder.up))
        endpoint.changeHosts((NEW,))
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual(("0.0.0.0",), endpoint.hosts)
        endpoint.connect(self.address(server))
        await self.until(lambda: len(recorder.up) == 2)
