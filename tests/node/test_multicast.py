"""Announcements by multicast on the loopback interface (RFC 5352 sections 3.6 and 8.4)."""

from __future__ import annotations

import os
import socket
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SkipTest, TestCase

from rserpool.core import SctpTransport, TransportAddress
from rserpool.core.addresses import ASAP_PORT
from rserpool.core.element import PoolElement
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.node.multicast import (
    IF_INET6,
    IPV4_GROUP,
    IPV6_GROUP,
    MulticastGroup,
    _interface_index,
    _join_ipv6,
    default_group,
)
from rserpool.node.node import Node

PORT = 20000 + os.getpid() % 20000


class Heard:
    """What came."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, str]] = []
        self._awaited: list[tuple[int, Deferred[None]]] = []

    def __call__(self, data: bytes, source: str) -> None:
        self.datagrams.append((data, source))
        for count, awaited in list(self._awaited):
            if len(self.datagrams) >= count:
                self._awaited.remove((count, awaited))
                awaited.callback(None)

    def so_many(self, count: int) -> Deferred[None]:
        """Fires when so many came."""
        awaited: Deferred[None] = Deferred()
        if len(self.datagrams) >= count:
            awaited.callback(None)
        else:
            self._awaited.append((count, awaited))
        return awaited


class ChannelTests(TestCase):
    """Two channels in the same group on one host."""

    timeout = 10

    def channel(self, group: TransportAddress, interface: str, received: Any) -> MulticastGroup:
        channel = MulticastGroup(group, interface, received)
        port: Any = channel.start(reactor)
        self.addCleanup(port.stopListening)
        return channel

    async def exchange(self, group: TransportAddress, interface: str) -> None:
        """What one announces both hear, from that interface."""
        if not multicast(group.hosts[0], interface):
            raise SkipTest(f"this host has no multicast at {interface}")
        one, other = Heard(), Heard()
        sender = self.channel(group, interface, one)
        self.channel(group, interface, other)
        await self.until_joined()
        sender.send(b"announcement")
        sender.send(b"again")
        await one.so_many(2)
        await other.so_many(2)
        self.assertEqual([b"announcement", b"again"], [data for data, _ in other.datagrams])
        if ":" not in interface:
            # With IPv6 the system prefers a link-local source.
            self.assertEqual({interface}, {source for _, source in other.datagrams})

    @staticmethod
    async def until_joined() -> None:
        """Twisted looks group addresses up in the reactor's next turns."""
        from twisted.internet.task import deferLater

        await deferLater(reactor, 0.05)

    async def test_ipv4(self) -> None:
        """A group of its own."""
        await self.exchange(TransportAddress(("239.1.2.3",), PORT), "127.0.0.1")

    async def test_ipv6(self) -> None:
        """The scope of this group is the interface: it never leaves the host."""
        group = "ff01::133"
        interface = next((each for each in ipv6_addresses() if multicast(group, each)), None)
        if interface is None:
            raise SkipTest("no interface of this host has IPv6 multicast")
        await self.exchange(TransportAddress((group,), PORT), interface)

    def test_link_local_source(self) -> None:
        """It is told with its link: otherwise nobody could dial it."""
        if not has_ipv6():
            raise SkipTest("this host has no IPv6")
        heard = Heard()
        channel = self.channel(TransportAddress(("ff01::133",), PORT + 2), "::1", heard)
        for source in ("fe80::5", "2001:db8::5", "fe80::6%lo"):
            channel.datagramReceived(b"", (source, 1))
        self.assertEqual(["fe80::5%lo", "2001:db8::5", "fe80::6%lo"], [source for _, source in heard.datagrams])

    def test_cannot_join(self) -> None:
        """An address that is no group: a line in the log, and nothing else."""
        for group, interface in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            if ":" in interface and not has_ipv6():
                continue
            with capturedLogs() as logs:
                self.channel(TransportAddress((group,), PORT + 1), interface, lambda data, source: None)
            self.assertIn("cannot join the multicast group", formatEvent(logs[-1]))

    async def test_to_a_role(self) -> None:
        """A registrar's announcement reaches the hunt of an element; garbage at the same port does no harm."""
        group = TransportAddress(("239.1.2.4",), PORT)
        if not multicast(group.hosts[0], "127.0.0.1"):
            raise SkipTest("this host has no multicast")
        role = PoolElement([], profile=DEFAULT, random=Random(1))
        node = Node(reactor, role, lambda event: None)
        self.addCleanup(node.stop)
        heard = Heard()

        def received(data: bytes, source: str) -> None:
            node.asap.announced(data, source)
            heard(data, source)

        channel = self.channel(group, "127.0.0.1", received)
        await self.until_joined()
        announcement = asap.ServerAnnounce(5, (SctpTransport(3863, 1, ("10.0.0.5",)),), 9898)
        random = Random(3)
        for datagram in (b"", b"x", random.randbytes(100), random.randbytes(1400)):
            channel.send(datagram)
        # Another ASAP message does not belong here.
        channel.send(asap.encode(asap.EndpointKeepAlive(5, b"pool")))
        channel.send(asap.encode(announcement))
        await heard.so_many(6)
        self.assertEqual([TransportAddress(("10.0.0.5",), 3863, 9898)], role.known_registrars)

    def test_groups(self) -> None:
        """Those of the RFC, in the family of our address."""
        self.assertEqual(TransportAddress((IPV4_GROUP,), ASAP_PORT), default_group("127.0.0.1"))
        self.assertEqual(TransportAddress((IPV6_GROUP,), ASAP_PORT), default_group("::1"))


def ipv6_addresses() -> list[str]:
    """Those of this host, the loopback address first."""
    try:
        lines = IF_INET6.read_text().splitlines()
    except OSError:
        return []
    found = [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])) for line in lines]
    return sorted((each for each in found if not each.startswith("fe80")), key=lambda each: each != "::1")


def has_ipv6() -> bool:
    """Whether this host has the IPv6 loopback address."""
    return "::1" in ipv6_addresses()


def multicast(group: str, interface: str) -> bool:
    """Whether a datagram to the group comes back at this interface."""
    try:
        if ":" in interface:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
                six.bind(("::", 0))
                _join_ipv6(six, group, _interface_index(interface))
                six.settimeout(2)
                six.sendto(b"?", (group, six.getsockname()[1]))
                return six.recv(1) == b"?"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
            four.bind(("", 0))
            membership = socket.inet_aton(group) + socket.inet_aton(interface)
            four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            four.settimeout(2)
            four.sendto(b"?", (group, four.getsockname()[1]))
            return four.recv(1) == b"?"
    except OSError:
        return False
