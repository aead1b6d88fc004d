"""The ports that a service listens on, as its reactor knows them."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory
from twisted.trial.unittest import TestCase

from rserpool.errors import ConfigurationError
from rserpool.service.ports import ListeningPorts, parse_port
from rserpool.wire.parameters import TcpTransport, UdpTransport


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
        self.assertEqual(([], None, None), (ports.ports, ports.transport("10.0.0.1"), ports.bound_host()))

    def test_later(self) -> None:
        """A port that is opened after the start is found when we look again."""
        ports = ListeningPorts(reactor)
        ports.during(lambda: None)
        port = self.listen()
        ports.look()
        self.assertEqual([port], ports.ports)

    def test_bound_host(self) -> None:
        """The one address, or none where it listens on all."""
        for interface, bound in (("127.0.0.1", "127.0.0.1"), ("", None)):
            ports = ListeningPorts(reactor)
            ports.during(lambda interface=interface: self.listen(interface))  # type: ignore[misc]
            self.assertEqual(bound, ports.bound_host())

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
        self.assertEqual(0, ports.connections())
        clients = [
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Protocol())
            for port in (mine, mine, other)
        ]
        while ports.connections() < 2:
            await self._turn()
        self.assertEqual(2, ports.connections())
        for client in clients:
            client.transport.loseConnection()
        while ports.connections():
            await self._turn()

    @staticmethod
    def _turn() -> Any:
        from twisted.internet.task import deferLater

        return deferLater(reactor, 0.001)


class ParsePortTests(TestCase):
    """What C{--port} takes."""

    def test_good(self) -> None:
        self.assertEqual(("tcp", 8080), parse_port("8080"))
        self.assertEqual(("tcp", 1), parse_port("tcp:1"))
        self.assertEqual(("udp", 65535), parse_port("udp:65535"))

    def test_bad(self) -> None:
        for text in ("", "0", "65536", "http", "sctp:80", "tcp:", "-1", "tcp:80:81", "\u0661"):
            with self.assertRaises(ConfigurationError):
                parse_port(text)
