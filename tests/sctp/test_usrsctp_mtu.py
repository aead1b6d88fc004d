"""How large packets of SCTP over UDP are: many paths of less than 1,500 bytes lose fragments (RFC 9260 section 7.3)."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.core.profiles import DEFAULT, FAST, Profile, profile
from rserpool.sctp.usrsctp.endpoint import LOOPBACK_MTU, largest
from tests.sctp.relay import Path
from tests.sctp.usrsctp_case import UsrsctpTestCase

MESSAGE = bytes(60000)
UDP = 28
"""Bytes of the headers of IPv4 and UDP."""


class PathTests(UsrsctpTestCase):
    """A path that lets nothing through that would be cut into fragments."""

    host = "127.0.96.1"

    async def _largest(self, hosts: tuple[str, ...], profile: Profile, mtu: int = 65535) -> int:
        """Send a long message there and back over a path with this MTU; how large the largest packet of IPv4 was."""
        stack = await self.makeStack(*hosts, profile=profile)
        accepting, connecting = self.recorder(), self.recorder()
        server = stack.open(0, accepting, hosts)
        client = stack.open(0, connecting, hosts, listening=False)
        path = Path(reactor, self.host, stack.encapsulation_port, lambda packet, forth: len(packet) <= mtu - UDP)
        self.addCleanup(path.stop)
        accepting.on_message = lambda association, data: association.send(data)
        client.connect(TransportAddress((self.host,), server.port, path.port)).send(MESSAGE)
        await self.until(lambda: connecting.data == [MESSAGE])
        self.assertEqual(2 * [True], [bool(sizes) for sizes in path.sizes])
        return max(*path.sizes[0], *path.sizes[1]) + UDP

    async def test_everywhere(self) -> None:
        """Packets fit the 1,280 bytes that every path of IPv6 takes, unless a profile says how large they may be."""
        for used, most in ((DEFAULT, 1280), (profile("fast,mtu=576"), 576), (profile("fast,mtu=1500"), 1500)):
            packet = await self._largest(("0.0.0.0",), used, most)
            self.assertTrue(most - 4 <= packet <= most, packet)

    async def test_this_host(self) -> None:
        """What does not leave this host may be large."""
        packet = await self._largest((self.host,), FAST)
        self.assertTrue(LOOPBACK_MTU - 4 <= packet <= LOOPBACK_MTU, packet)


class RoomTests(SynchronousTestCase):
    """What is left of a packet for SCTP."""

    def test_families(self) -> None:
        """The headers of IP and UDP, of the larger family where an endpoint has both."""
        self.assertEqual(1252, largest(("192.0.2.1",), 1280))
        self.assertEqual(1232, largest(("2001:db8::1",), 1280))
        self.assertEqual(1232, largest(("0.0.0.0", "::"), 1280))
        self.assertEqual(LOOPBACK_MTU - 48, largest(("127.0.0.1", "::1"), 1280))

    def test_profiles(self) -> None:
        """A profile is named, and how large packets may be beside it."""
        self.assertEqual(
            (FAST, "fast", 9000), (profile("fast"), profile("fast,mtu=9000").name, profile("fast,mtu=9000").mtu)
        )
        for wrong in ("fats", "fast,mtu", "fast,mtu=575", "fast,mtu=65536", "fast,mtu=-1", "fast,mut=1280", "fast,"):
            with self.assertRaises(ConfigurationError):
                profile(wrong)
