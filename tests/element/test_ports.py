"""The ports that a service listens on, as its reactor knows them."""

from __future__ import annotations

import re
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.core import ConfigurationError, SctpTransport, TcpTransport, TransportAddress, UdpTransport
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from rserpool.element.checks import is_open
from rserpool.element.draining import connections
from rserpool.element.openings import claim
from rserpool.element.ports import (
    ListeningPorts,
    Place,
    asap_place,
    bound_hosts,
    parse_port,
    reached_at,
    user_transport,
)
from rserpool.node.own_ports import own_port
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

    async def test_only_what_was_opened_meanwhile(self) -> None:
        """Ports that were there before, in a program that ran, are not the service's."""
        await self._turn()
        self.listen()
        ports = ListeningPorts(reactor)
        mine = ports.during(self.listen)
        self.assertEqual([mine], ports.ports)
        number = mine.getHost().port
        self.assertEqual({Place("tcp", number): [mine]}, ports.serving())
        self.assertEqual(TcpTransport(number, "10.0.0.1"), user_transport("tcp", number, ("10.0.0.1",)))

    def test_while_it_was_made(self) -> None:
        """What was open before the program ran counts until the service has opened a port itself; once."""
        clock: Any = MemoryReactorClock()
        clock.running = False
        readers: list[Any] = []
        clock.getReaders = lambda: readers
        port = self.listen()
        readers.append(port)
        first, second = ListeningPorts(clock), ListeningPorts(clock)
        first.look()
        second.look()
        self.assertEqual(([port], []), (list(*first.serving().values()), second.ports))
        self.assertTrue(first.is_a_guess(port))
        own = self.listen()
        claim(clock, own, first)
        readers.append(own)
        first.look()
        self.assertEqual([own], list(*first.serving().values()))

    def test_equals(self) -> None:
        """In a process that is there for the service its ports are equals, whoever opened them; none is left for
        another.
        """
        clock: Any = MemoryReactorClock()
        clock.running = True
        readers = [self.listen()]
        clock.getReaders = lambda: readers
        alone = ListeningPorts(clock, alone=True)
        alone.look()
        self.assertFalse(alone.is_a_guess(readers[0]))
        own = self.listen()
        claim(clock, own, alone)
        readers.append(own)
        alone.look()
        self.assertEqual([[readers[0]], [own]], list(alone.serving().values()))
        self.assertEqual([[own]], list(ListeningPorts.serving(alone, "tcp").values()))

    def test_own(self) -> None:
        """Our own ports, of reports and of the admin interface, are never the service's, even alone in its process."""
        alone = ListeningPorts(reactor, alone=True)
        alone.look()
        before = list(alone.ports)
        alone.during(lambda: (own_port(self.listen()), own_port(self.listen_udp())))
        self.assertEqual(before, alone.ports)
        port = self.listen()
        alone.look()
        self.assertEqual([*before, port], alone.ports)

    def test_in_order(self) -> None:
        """Several are known in the order in which they were opened, every time."""
        for _ in range(5):
            ports = ListeningPorts(reactor)
            opened = ports.during(lambda: [self.listen() for _ in range(8)])
            self.assertEqual(opened, ports.ports)

    def test_udp(self) -> None:
        """Datagrams: a port that the system chose is a client's, unless a UDP port is asked for."""
        ports = ListeningPorts(reactor)
        port = ports.during(self.listen_udp)
        number = port.getHost().port
        self.assertEqual({}, ports.serving())
        self.assertEqual({Place("udp", number): [port]}, ports.serving("udp"))
        self.assertEqual(f"udp:{number} (of a client, as it seems)", ports.told())
        self.assertEqual(UdpTransport(number, "127.0.0.1"), user_transport("udp", number, ("127.0.0.1",)))

    def test_unix_and_multicast(self) -> None:
        """UNIX ports cannot be registered, and what belongs to a multicast group is none that serves; they are told."""
        network: Any = reactor
        ports = ListeningPorts(reactor)
        path = self.mktemp()
        unix = ports.during(lambda: network.listenUNIX(path, Factory.forProtocol(Protocol)))
        self.addCleanup(unix.stopListening)
        group = ports.during(lambda: network.listenMulticast(0, DatagramProtocol(), listenMultiple=True))
        self.addCleanup(group.stopListening)
        self.assertEqual(({}, {}), (ports.serving(), ports.serving("tcp")))
        number = group.getHost().port
        self.assertEqual(
            {f"unix {path}", f"udp:{number} (of a client, as it seems)"}, set(re.split(", (?=u)", ports.told()))
        )

    def test_udp_server(self) -> None:
        """One with a number of its own serves."""
        self.listen_udp().stopListening()
        network: Any = reactor
        ports = ListeningPorts(reactor)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            number = probe.getsockname()[1]
        port = ports.during(lambda: network.listenUDP(number, DatagramProtocol(), interface="127.0.0.1"))
        self.addCleanup(port.stopListening)
        self.assertEqual({Place("udp", number): [port]}, ports.serving())

    def test_none(self) -> None:
        """Nothing was opened."""
        ports = ListeningPorts(reactor)
        ports.during(lambda: None)
        self.assertEqual(([], {}, ""), (ports.ports, ports.serving(), ports.told()))

    async def test_later(self) -> None:
        """A port that a service opens after its start is found when we look again: by a timer, or by a coroutine."""
        by_timer, by_coroutine = ListeningPorts(reactor), ListeningPorts(reactor)
        opened: list[Any] = []
        turns: Any = reactor
        by_timer.during(lambda: turns.callLater(0, lambda: turns.callLater(0, lambda: opened.append(self.listen()))))

        async def listen() -> Any:
            await self._turn()
            return self.listen()

        waiting = by_coroutine.during(lambda: ensureDeferred(listen()))
        mine = await waiting
        while not opened:
            await self._turn()
        stranger = self.listen()
        by_timer.look()
        by_coroutine.look()
        self.assertEqual((opened, [mine]), (by_timer.ports, by_coroutine.ports))
        alone = ListeningPorts(reactor, alone=True)
        alone.look()
        self.assertIn(stranger, alone.ports)
        self.assertNotIn(mine, alone.ports)

    def test_closed(self) -> None:
        """A port that is closed is none."""
        ports = ListeningPorts(reactor)
        mine = ports.during(self.listen)
        self.assertTrue(is_open(reactor, mine))
        closed = mine.stopListening()
        self.assertFalse(is_open(reactor, mine))
        ports.look()
        self.assertEqual([], ports.ports)
        return closed  # type: ignore[no-any-return]

    def test_several_addresses(self) -> None:
        """One number at several addresses is one place; another number is another."""
        ports = ListeningPorts(reactor)
        network: Any = reactor

        def both() -> list[Any]:
            first = self.listen()
            number = first.getHost().port
            second = network.listenTCP(number, Factory.forProtocol(Protocol), interface="127.0.0.2")
            self.addCleanup(second.stopListening)
            return [first, second]

        opened = ports.during(both)
        place = Place("tcp", opened[0].getHost().port)
        self.assertEqual({place: opened}, ports.serving())
        other = ports.during(self.listen)
        self.assertEqual([place, Place("tcp", other.getHost().port)], list(ports.serving()))
        self.assertEqual([other], ports.others({place}))

    def test_bound_host(self) -> None:
        """The one address, or none where it listens on all."""
        for interface, bound in (("127.0.0.1", ("127.0.0.1",)), ("", ())):
            ports = ListeningPorts(reactor)
            port = ports.during(lambda interface=interface: self.listen(interface))  # type: ignore[misc]
            self.assertEqual(bound, bound_hosts(port.getHost()))

    def test_families(self) -> None:
        """Who listens on all IPv4 addresses is not reached over IPv6."""
        ports = ListeningPorts(reactor)
        address = ports.during(lambda: self.listen("0.0.0.0")).getHost()  # noqa: S104
        self.assertTrue(reached_at(address, "10.0.0.1"))
        self.assertFalse(reached_at(address, "::1"))
        ports = ListeningPorts(reactor)
        address = ports.during(self.listen).getHost()
        self.assertTrue(reached_at(address, "127.0.0.1"))
        self.assertFalse(reached_at(address, "10.0.0.1"))

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
        hosts = bound_hosts(port.getHost())
        self.assertEqual({"hosts": hosts, "encapsulation": 9899}, asap_place(port.getHost(), hosts))
        self.assertEqual(
            SctpTransport(5000, DATA_PLUS_CONTROL, hosts), user_transport("sctp", 5000, hosts, DATA_PLUS_CONTROL)
        )
        self.assertEqual({Place("sctp", 5000): [port]}, ports.serving())
        self.assertTrue(is_open(self.clock, port))
        port.stopListening()
        self.assertFalse(is_open(self.clock, port))
        later = ListeningPorts(self.clock, alone=True)
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
        self.assertEqual(("udp", 0), parse_port("udp"))

    def test_bad(self) -> None:
        for text in ("", "0", "65536", "http", "unix:80", "tcp:", "-1", "tcp:80:81", "\u0661"):
            with self.assertRaises(ConfigurationError):
                parse_port(text)
