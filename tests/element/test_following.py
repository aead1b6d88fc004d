"""What is registered follows what a service opens, and closes."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from rserpool.core import TcpTransport
from rserpool.element import PooledService
from tests.element.pooled import PooledCase, Port, Wrapped


class FollowingTests(PooledCase):
    """Ports that come and go."""

    def test_named_here(self) -> None:
        """A port of this process is looked up: nobody connects to it."""
        port = Port(99)
        _, _, host = self.pooled([port], port=("tcp", 99))
        self.sees(TcpTransport(99, host))
        self.closes(port)
        self.scope.until(lambda: not self.seen.elements, 1.5)

    def test_several_named(self) -> None:
        """Each is an element of its own."""
        _, _, host = self.pooled([Port(1), Port(2)], port=[("tcp", 1), ("tcp", 2)])
        self.scope.until(lambda: len(self.seen.elements) == 2, 3.0)
        transports = {element.user_transport for element in self.seen.elements.values()}
        self.assertEqual({TcpTransport(1, host), TcpTransport(2, host)}, transports)

    def test_ambiguous(self) -> None:
        """Of several nobody chooses by chance: the owner is told which there are, and nothing is registered."""
        self.pooled([Port(25), Port(110)])
        self.scope.advance(3.0)
        self.assertRegex(str(self.refusals.pop().value), "opened 2 ports, and .* --port .* of tcp:25, tcp:110$")
        self.assertEqual({}, self.seen.elements)
        self.flushLoggedErrors()

    def test_client_first(self) -> None:
        """The port of a UDP client is none that serves, however early it is."""
        client = Port(5000, kind="UDP")
        client.port = 0  # type: ignore[attr-defined]
        pooled, wrapped, host = self.pooled([client, Port(80)], after=1.0)
        self.sees(TcpTransport(80, host))

    def test_another_later(self) -> None:
        """A port that is opened later changes nothing; the log lists both, once."""
        pooled, _, host = self.pooled([Port(80)])
        self.sees(TcpTransport(80, host))
        with capturedLogs() as logs:
            for number in (81, 82):
                pooled._ports.during(partial(self.open_now, Port(number)))
                self.scope.advance(1.0)
        (line,) = [formatEvent(event) for event in logs if "name others" in formatEvent(event)]
        self.assertRegex(line, "opened 2 ports: tcp:80 is registered, of tcp:80, tcp:81; name others with --port")
        self.assertEqual([TcpTransport(80, host)], self.transports())

    def test_late_neighbours(self) -> None:
        """Of two services that open late, each is registered with its own port."""
        network: Any = self.scope.element().reactor
        network.getReaders = lambda: list(self.readers)
        network.adoptStreamPort = self.opens
        other = self.scope.user().watch("other")
        hosts = (network.host,)
        for pool, number, after in (("pool", 1, 2.0), ("other", 2, 1.0)):
            opens = partial(self.open_after, network, after, Port(number))
            pooled = PooledService(
                network, Wrapped(opens), [pool], hosts=hosts, registrars=self.scope.addresses, stack=network.stack
            )
            pooled.startService()
            self.addCleanup(pooled.stopService)
        self.sees(TcpTransport(1, network.host), 6.0)
        self.assertEqual([TcpTransport(2, network.host)], [it.user_transport for it in other.elements.values()])

    def test_closed(self) -> None:
        """When the port closes it leaves the pool; when it is open again it is back, as the same element."""
        port = Port(8080)
        self.pooled([port])
        self.scope.until(lambda: self.seen.elements, 3.0)
        (identifier,) = self.seen.elements
        self.closes(port)
        self.scope.until(lambda: not self.seen.elements, 1.0)
        self.opens(port)
        self.scope.until(lambda: self.seen.elements, 1.0)
        self.assertEqual([identifier], list(self.seen.elements))

    def test_closed_without_a_registrar(self) -> None:
        """Also while no registrar answers: what is registered in the end is what is open in the end."""
        port = Port(8080)
        _, _, host = self.pooled([port])
        self.scope.until(lambda: self.seen.elements, 3.0)
        self.scope.kill(*self.scope.registrars)
        self.closes(port)
        self.scope.advance(30.0)
        self.opens(port)
        self.scope.advance(30.0)
        self.closes(port)
        self.scope.advance(1.0)
        self.opens(port)
        self.scope.restart(*self.scope.registrars)
        user = self.scope.user().watch("pool")
        self.scope.until(lambda: user.elements, 40.0)
        self.assertEqual([TcpTransport(8080, host)], [it.user_transport for it in user.elements.values()])
        self.assertEqual([], self.refusals)

    def test_moved(self) -> None:
        """When another is opened instead, that is registered, by the same element."""
        first, second = Port(1), Port(2)
        pooled, wrapped, host = self.pooled([first])
        self.scope.until(lambda: self.seen.elements, 3.0)
        (identifier,) = self.seen.elements
        wrapped._opens = lambda: (self.closes(first), self.process.reactor.adoptStreamPort(second))  # type: ignore
        pooled._ports.during(wrapped._opens)
        self.scope.until(lambda: TcpTransport(2, host) in self.transports(), 1.0)
        self.assertEqual([identifier], list(self.seen.elements))
