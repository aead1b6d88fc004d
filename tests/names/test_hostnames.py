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
from tests.pool_scope import PoolScope


class HostnameTests(SynchronousTestCase):
    """A pool by a host name."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service
        reactor = self.scope.client.reactor
        self.resolver = PoolHostnames(self.user, reactor.nameResolver)
        reactor.installNameResolver(self.resolver)

    def connect(self, name: str) -> Any:
        endpoint = HostnameEndpoint(self.scope.client.reactor, name, 80)
        return self.scope.result(endpoint.connect(Factory.forProtocol(Protocol)))

    def test_connect(self) -> None:
        """The element's own port is what is connected to, and one that refuses is passed over."""
        self.scope.member(1)
        self.scope.member(2)
        self.scope.close(1)
        for _ in range(2):
            self.assertEqual(8002, self.connect("pool.RSerPool").transport.getPeer().port)

    def test_no_pool(self) -> None:
        """A pool that is not known is a name that is not known."""
        with self.assertRaises(DNSLookupError):
            self.connect("nothing.rserpool")

    def test_other_names(self) -> None:
        """Other names are left alone."""
        self.scope.member(1)
        endpoint = HostnameEndpoint(self.scope.client.reactor, "e1", 8001)
        connected: Any = self.scope.result(endpoint.connect(Factory.forProtocol(Protocol)))
        self.assertEqual("10.0.1.1", connected.transport.getPeer().host)

    def test_infos(self) -> None:
        """C{getaddrinfo} as a Deferred, which can be cancelled."""
        self.scope.member(1)
        self.scope.member(2, b"udp", transport=UdpTransport(53, "10.0.1.2"))
        info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.1.1", 8001))
        self.assertEqual([info], self.scope.result(getaddrinfo(self.user, "pool")))
        with self.assertRaises(NameUnknown):
            self.scope.result(getaddrinfo(self.user, "nothing"))
        with self.assertRaises(NoSuchAddress):
            self.scope.result(getaddrinfo(self.user, "udp", type=socket.SOCK_STREAM))
        asked = getaddrinfo(self.user, "later")
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
