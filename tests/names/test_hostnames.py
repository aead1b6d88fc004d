"""C{rserpool.names.hostnames}: pools as host names of a reactor."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import UdpTransport
from rserpool.names import NameUnknown, NoSuchAddress
from rserpool.names.hostnames import PoolHostnames, getaddrinfo
from tests.node.world import World


class HostnameTests(SynchronousTestCase):
    """A pool by a host name."""

    def setUp(self) -> None:
        self.world = World(1)
        self.world.user.startService()
        reactor: Any = self.world.reactor
        self.resolver = PoolHostnames(self.world.user, reactor.nameResolver)
        reactor.installNameResolver(self.resolver)

    def connect(self, name: str) -> Any:
        endpoint = HostnameEndpoint(self.world.reactor, name, 80)
        return self.world.result(endpoint.connect(Factory.forProtocol(Protocol)))

    def test_connect(self) -> None:
        """The element's own port is what is connected to, and one that refuses is passed over."""
        self.world.member(1)
        self.world.member(2)
        self.world.reactor.accepting.discard((self.world.host(1, 1), 8001))
        for _ in range(2):
            self.assertEqual(8002, self.connect("pool.RSerPool").transport.getPeer().port)

    def test_no_pool(self) -> None:
        """A pool that is not known is a name that is not known."""
        with self.assertRaises(DNSLookupError):
            self.connect("nothing.rserpool")

    def test_other_names(self) -> None:
        """Other names are left alone."""
        self.world.reactor.accepting.add(("127.0.0.1", 80))
        endpoint = HostnameEndpoint(self.world.reactor, "elsewhere.example", 80)
        connected: Any = self.world.result(endpoint.connect(Factory.forProtocol(Protocol)))
        self.assertEqual("127.0.0.1", connected.transport.getPeer().host)

    def test_infos(self) -> None:
        """C{getaddrinfo} as a Deferred, which can be cancelled."""
        self.world.member(1)
        self.world.member(2, b"udp", transport=UdpTransport(53, self.world.host(1, 2)))
        info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (self.world.host(1, 1), 8001))
        self.assertEqual([info], self.world.result(getaddrinfo(self.world.user, "pool")))
        with self.assertRaises(NameUnknown):
            self.world.result(getaddrinfo(self.world.user, "nothing"))
        with self.assertRaises(NoSuchAddress):
            self.world.result(getaddrinfo(self.world.user, "udp", type=socket.SOCK_STREAM))
        asked = getaddrinfo(self.world.user, "later")
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
