"""What is sent before an association is up rides with the set-up (RFC 9260 section 5.1), as the hello of TLS does."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from rserpool.core import TransportAddress
from rserpool.core.profiles import RFC
from rserpool.sctp.tls.channel import Sides
from rserpool.sctp.tls.endpoint import TlsStack
from rserpool.sctp.tls.place import HandshakeFailed
from rserpool.security.engine import TlsSide
from rserpool.security.way import Terms
from tests.sctp.relay import DATA, SACK, Path, chunks
from tests.sctp.tls_case import tls_channel
from tests.sctp.usrsctp_case import UsrsctpTestCase
from tests.security.pair import KEY, long_hellos

COOKIE_ECHO, COOKIE_ACK = 10, 11


class EarlyTests(UsrsctpTestCase):
    """One message, before there is an association."""

    host = "127.0.94.1"

    async def setUpEnds(self, passes: Any = lambda packet, forth: True, *before: str) -> None:
        """An endpoint that listens, and one that dials it through a path, after other addresses of its."""
        self.packets: list[tuple[bool, list[int]]] = []

        def seen(packet: bytes, forth: bool) -> bool:
            self.packets.append((forth, list(chunks(packet))))
            return bool(passes(packet, forth))

        stack, other = await self.makeStack(self.host), await self.makeStack(self.host)
        self.accepting, self.connecting = self.recorder(), self.recorder()
        server = stack.open(0, self.accepting, (self.host,))
        client = other.open(0, self.connecting, (self.host,), listening=False)
        path = Path(reactor, self.host, stack.encapsulation_port, seen)
        self.addCleanup(path.stop)
        self.association = client.connect(TransportAddress((*before, self.host), server.port, path.port))

    def with_cookies(self) -> list[list[int]]:
        """The chunks of the packets that have a cookie."""
        return [kinds for forth, kinds in self.packets if forth and COOKIE_ECHO in kinds]

    async def test_rides(self) -> None:
        """It is in the packet of the cookie, before anybody is told that the association is up."""
        await self.setUpEnds()
        self.assertTrue(self.association.early(b"early", 11))
        self.association.send(b"later", 12)
        await self.until(lambda: len(self.accepting.received) == 2)
        self.assertEqual([(b"early", 11, 0, False), (b"later", 12, 0, False)], self.accepting.received)
        self.assertEqual([[COOKIE_ECHO, DATA]], self.with_cookies())

    async def test_one_alone(self) -> None:
        """There is one such message, and none once the association is up."""
        await self.setUpEnds()
        self.association.early(b"early", 11)
        self.assertFalse(self.association.early(b"another", 11))
        await self.until(lambda: bool(self.accepting.received and self.connecting.up))
        self.assertFalse(self.association.early(b"late", 11))
        self.assertEqual([b"early"], self.accepting.data)

    async def test_lost_on_the_way(self) -> None:
        """The packet is lost: both are sent again, and heard once."""
        lost: list[bytes] = []

        def passes(packet: bytes, forth: bool) -> bool:
            if forth and COOKIE_ECHO in chunks(packet) and not lost:
                lost.append(packet)
                return False
            return True

        await self.setUpEnds(passes)
        self.association.early(b"early", 11)
        await self.until(lambda: bool(self.accepting.received))
        self.association.send(b"end")
        await self.until(lambda: len(self.accepting.received) > 1)
        self.assertEqual([b"early", b"end"], self.accepting.data)

    async def test_the_next_address(self) -> None:
        """Nobody is at the first one: it goes to the next one, and nothing is told as lost."""
        await self.setUpEnds(lambda packet, forth: True, "127.0.94.2")
        self.association.early(b"early", 11)
        await self.until(lambda: bool(self.accepting.received))
        self.association.send(b"end")
        await self.until(lambda: len(self.accepting.received) > 1)
        self.assertEqual([b"early", b"end"], self.accepting.data)
        self.assertEqual(([], []), (self.connecting.failed, self.connecting.lost))

    async def test_nobody_there(self) -> None:
        """What waits to be sent is told as lost, and this is not: whoever made it knows."""
        stack = await self.makeStack(self.host)
        connecting = self.recorder()
        client = stack.open(0, connecting, (self.host,), listening=False)
        association = client.connect(TransportAddress(("127.0.94.2",), 5))
        association.early(b"early", 11)
        association.send(b"later")
        await self.until(lambda: bool(connecting.lost))
        self.assertEqual([b"later"], [data for data, _ in connecting.failed])

    async def test_given_up(self) -> None:
        """Whoever aborts the set-up sends it to nobody."""
        await self.setUpEnds()
        self.association.early(b"early", 11)
        self.association.abort()
        await self.until(lambda: bool(self.connecting.lost))
        self.assertEqual(([], []), (self.accepting.received, self.connecting.up))


class HelloTests(UsrsctpTestCase):
    """The hello of TLS."""

    host = "127.0.94.1"

    async def setUpEnds(self) -> None:
        """A server of TLS, and a client that dials it through a path."""
        self.packets: list[list[int]] = []

        def seen(packet: bytes, forth: bool) -> bool:
            self.packets.append(list(chunks(packet)))
            return True

        # Nothing is sent twice, however slow this machine is.
        stack, other = await self.makeStack(self.host, profile=RFC), await self.makeStack(self.host, profile=RFC)
        self.accepting, self.connecting = self.recorder(), self.recorder()
        self.channel = tls_channel(sides=Sides(client=TlsSide(Terms(False, own=KEY))))
        server = TlsStack(reactor, stack, tls_channel()).open(0, self.accepting, (self.host,))
        client = TlsStack(reactor, other, self.channel).open(0, self.connecting, (self.host,), listening=False)
        self.path = Path(reactor, self.host, stack.encapsulation_port, seen)
        self.addCleanup(self.path.stop)
        client.connect(TransportAddress((self.host,), server.port, self.path.port)).send(b"first")

    async def test_five_packets(self) -> None:
        """What a client has to say goes out in the fifth packet of an association that it opens, as in the clear."""
        if longer := long_hellos():
            raise SkipTest(longer)
        await self.setUpEnds()
        await self.until(lambda: self.accepting.data == [b"first"])
        expected = [[COOKIE_ECHO, DATA], [COOKIE_ACK, SACK, DATA, DATA, DATA], [SACK, DATA, DATA]]
        self.assertEqual(expected, self.packets[2:5])

    async def test_another_key(self) -> None:
        """Our key is another by the time that the association is up: nothing is said by the old one."""
        await self.setUpEnds()
        self.channel.sides.client = TlsSide(Terms(False, own=KEY))
        await self.until(lambda: bool(self.connecting.lost))
        ((_, reason),) = self.connecting.lost
        reason.trap(HandshakeFailed)
        self.assertIn("our key was another", str(reason.value))
        self.assertEqual(([], []), (self.connecting.up, self.accepting.up))
