"""The ports that a service listens on, as its reactor knows them."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.core import ConfigurationError, SctpTransport, TcpTransport, TransportAddress, UdpTransport
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from rserpool.element.ports import ListeningPorts, asap_place, connections, parse_port
from rserpool.sctp import SctpClientEndpoint, listenSCTP
from rserpool.sctp.memory import Network
from rserpool.sctp.one_to_one.ports import SctpPort


class ListeningPortsTests(TestCase):
    """Real ports of the real reactor."""

    def listen(self, interface: str = "127.0.0.1") -> Any:
        factory = ServerFactory()
        factory.protocol = Protocol  # type: ignore[assignment]
        port: Any = reactor.listenTCP(0, factory, interface=interface)
        self.addCleanup(port.stopListening)
        return port

    def listen_udp(self) -> Any:
        network: Any = reactor
        port = network.listenUDP(0, DatagramProtocol(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port

    def test_only_what_was_opened_meanwhile(self) -> None:
        """Ports that were there before are not the service's."""
        self.listen()
        ports = ListeningPorts(reactor)
        mine = ports.during(self.listen)
        self.assertEqual([mine], ports.ports)
        self.assertEqual(TcpTransport(mine.getHost().port, "10.0.0.1"), ports.transport("10.0.0.1"))

    def test_in_order(self) -> None:
        """Of several the first that was opened is registered, every time."""
        for _ in range(5):
            ports = ListeningPorts(reactor)
            opened = ports.during(lambda: [self.listen() for _ in range(8)])
            self.assertEqual(opened, ports.ports)

    def test_udp(self) -> None:
        """Datagrams."""
        ports = ListeningPorts(reactor)
        port = ports.during(self.listen_udp)
        self.assertEqual(UdpTransport(port.getHost().port, "127.0.0.1"), ports.transport("127.0.0.1"))

    def test_none(self) -> None:
        """Nothing was opened."""
        ports = ListeningPorts(reactor)
        ports.during(lambda: None)
        self.assertEqual(([], None, ()), (ports.ports, ports.transport("10.0.0.1"), ports.bound_hosts()))

    def test_later(self) -> None:
        """A port that is opened after the start is found when we look again."""
        ports = ListeningPorts(reactor)
        ports.during(lambda: None)
        port = self.listen()
        ports.look()
        self.assertEqual([port], ports.ports)

    def test_bound_host(self) -> None:
        """The one address, or none where it listens on all."""
        for interface, bound in (("127.0.0.1", ("127.0.0.1",)), ("", ())):
            ports = ListeningPorts(reactor)
            ports.during(lambda interface=interface: self.listen(interface))  # type: ignore[misc]
            self.assertEqual(bound, ports.bound_hosts())

    def test_families(self) -> None:
        """Who listens on all IPv4 addresses is not reached over IPv6."""
        ports = ListeningPorts(reactor)
        ports.during(lambda: self.listen("0.0.0.0"))  # noqa: S104
        self.assertTrue(ports.reached_at("10.0.0.1"))
        self.assertFalse(ports.reached_at("::1"))
        ports = ListeningPorts(reactor)
        ports.during(self.listen)
        self.assertTrue(ports.reached_at("127.0.0.1"))
        self.assertFalse(ports.reached_at("10.0.0.1"))

    async def test_connections(self) -> None:
        """Connections to these ports are counted, others are not."""
        from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

        ports = ListeningPorts(reactor)
        mine = ports.during(self.listen)
        other = self.listen()
        self.assertEqual(0, connections(reactor, ports.ports))
        clients = [
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Protocol())
            for port in (mine, mine, other)
        ]
        while connections(reactor, ports.ports) < 2:
            await self._turn()
        self.assertEqual(2, connections(reactor, ports.ports))
        for client in clients:
            client.transport.loseConnection()
        while connections(reactor, ports.ports):
            await self._turn()

    @staticmethod
    def _turn() -> Any:
        from twisted.internet.task import deferLater

        return deferLater(reactor, 0.001)


class SctpPortTests(SynchronousTestCase):
    """SCTP ports, of a stack in memory."""

    def setUp(self) -> None:
        self.clock = MemoryReactorClock()
        self.network = Network(self.clock)
        self.stack = self.network.stack("10.0.0.1", "10.0.1.1", encapsulation=9899)

    def listen(self, *hosts: str) -> SctpPort:
        return listenSCTP(self.clock, 5000, Factory.forProtocol(Protocol), hosts, stack=self.stack)

    def test_found(self) -> None:
        """It is found, with all its addresses, until it is closed."""
        ports = ListeningPorts(self.clock)
        port = ports.during(self.listen)
        self.assertEqual([port], ports.ports)
        hosts = ports.bound_hosts()
        self.assertEqual({"hosts": hosts, "encapsulation": 9899}, asap_place(port.getHost(), hosts))
        self.assertEqual(SctpTransport(5000, DATA_PLUS_CONTROL, hosts), ports.transport(*hosts, use=DATA_PLUS_CONTROL))
        port.stopListening()
        later = ListeningPorts(self.clock)
        later.look()
        self.assertEqual([], later.ports)

    def test_connections(self) -> None:
        """Its associations are connections."""
        ports = ListeningPorts(self.clock)
        ports.during(self.listen)
        other = self.network.stack("10.0.0.2")
        peer = TransportAddress(("10.0.0.1",), 5000, 9899)
        connecting = SctpClientEndpoint(self.clock, peer, stack=other).connect(Factory.forProtocol(Protocol))
        self.clock.pump([0.01] * 100)
        self.successResultOf(connecting)
        self.assertEqual(1, connections(self.clock, ports.ports))


class ParsePortTests(TestCase):
    """What C{--port} takes."""

    def test_good(self) -> None:
        self.assertEqual(("tcp", 8080), parse_port("8080"))
        self.assertEqual(("tcp", 1), parse_port("tcp:1"))
        self.assertEqual(("udp", 65535), parse_port("udp:65535"))
        self.assertEqual(("sctp", 80), parse_port("sctp:80"))

    def test_bad(self) -> None:
        for text in ("", "0", "65536", "http", "unix:80", "tcp:", "-1", "tcp:80:81", "\u0661"):
            with self.assertRaises(ConfigurationError):
                parse_port(text)
