"""Any service as a pool element: registered when its port is known, drained before it stops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rserpool.core import ConfigurationError, TcpTransport, UdpTransport
from rserpool.element import PooledService
from rserpool.element.pooled import PATIENCE
from rserpool.testing import Scope


@implementer(IListeningPort)
class Port:
    """A listening port."""

    def __init__(self, number: int, host: str = "0.0.0.0", kind: str = "TCP") -> None:  # noqa: S104
        self.number, self.host, self.type = number, host, kind
        self.open = True

    def fileno(self) -> int:
        return self.number if self.open else -1

    def startListening(self) -> None:
        """It listens already."""

    def stopListening(self) -> None:
        """Nobody asks it to."""

    def getHost(self) -> Any:
        return type("Address", (), {"type": self.type, "host": self.host, "port": self.number})


class Connection:
    """A connection that a port has accepted."""

    def __init__(self, server: Port) -> None:
        self.server = server


class Wrapped(Service):
    """Opens its ports, at once or later."""

    def __init__(self, opens: Callable[[], object]) -> None:
        self._opens = opens
        self.stopping: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._opens()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.stopping = Deferred()
        return self.stopping


class PooledTests(SynchronousTestCase):
    """One registrar, one pooled service on a host of its own."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.seen = self.scope.user().watch("pool")
        self.refusals: list[Failure] = []
        self.readers: list[Any] = []

    def opens(self, port: Port) -> Port:
        """A port listens."""
        port.open = True
        self.readers.append(port)
        return port

    def open_now(self, port: Port) -> None:
        """A service opens it."""
        network: Any = self.process.reactor
        network.adoptStreamPort(port)

    def open_after(self, network: Any, after: float, port: Port) -> None:
        """A service opens it late, and keeps no reference."""
        network.callLater(after, lambda: network.adoptStreamPort(port))

    def closes(self, port: Port) -> None:
        """It does no longer."""
        port.open = False
        self.readers.remove(port)

    def pooled(self, ports: list[Port], after: float = 0.0, **options: Any) -> tuple[PooledService, Wrapped, str]:
        """Start one."""
        self.process = process = self.scope.element()
        network: Any = process.reactor
        network.getReaders = lambda: list(self.readers)
        network.adoptStreamPort = self.opens

        def open_all() -> None:
            for port in ports:
                network.adoptStreamPort(port)

        if after:
            wrapped = Wrapped(lambda: network.callLater(after, open_all))
        else:
            wrapped = Wrapped(open_all)
        options = {"hosts": (process.host,), "registrars": self.scope.addresses, "stack": process.stack, **options}
        pooled = PooledService(process.reactor, wrapped, ["pool"], refused=self.refusals.append, **options)
        pooled.privilegedStartService()
        pooled.startService()

        def stop() -> None:
            if pooled.running:
                stopped = pooled.stopService()
                self.scope.until(lambda: wrapped.stopping is not None)
                assert wrapped.stopping is not None
                if not wrapped.stopping.called:
                    wrapped.stopping.callback(None)
                self.scope.until(lambda: stopped.called, 3.0)

        self.addCleanup(stop)
        return pooled, wrapped, process.host

    def sees(self, transport: Any, within: float = 3.0) -> None:
        """The pool has one element, with this transport."""
        self.scope.until(lambda: self.seen.elements, within)
        self.assertEqual([transport], [element.user_transport for element in self.seen.elements.values()])

    def test_found(self) -> None:
        """The port that the service opens is registered."""
        _, _, host = self.pooled([Port(8080)])
        self.sees(TcpTransport(8080, host))

    def test_found_late(self) -> None:
        """Also if it opens a second later."""
        _, _, host = self.pooled([Port(5000, kind="UDP")], after=1.0)
        self.sees(UdpTransport(5000, host))

    def test_named(self) -> None:
        """One that cannot be found, since it is another process's, is named: it is registered while it accepts."""
        _, _, host = self.pooled([], port=("tcp", 99))
        self.scope.advance(3.0)
        self.assertEqual({}, self.seen.elements)
        other = self.process.reactor.listenTCP(99, Factory.forProtocol(Echo))
        self.sees(TcpTransport(99, host))
        other.stopListening()
        self.scope.until(lambda: not self.seen.elements, 3.0)
        other.startListening()
        self.sees(TcpTransport(99, host))

    def test_named_here(self) -> None:
        """A port of this process is looked up: nobody connects to it."""
        port = Port(99)
        _, _, host = self.pooled([port], port=("tcp", 99))
        self.sees(TcpTransport(99, host))
        self.closes(port)
        self.scope.until(lambda: not self.seen.elements, 1.5)

    def test_one_of_several(self) -> None:
        """Where the other one listens does not matter."""
        _, _, host = self.pooled([Port(1, "127.0.0.1"), Port(2)], port=("tcp", 2))
        self.sees(TcpTransport(2, host))

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

    def transports(self) -> list[Any]:
        return [element.user_transport for element in self.seen.elements.values()]

    def test_slow(self) -> None:
        """A service that takes its time is waited for; meanwhile the log says so."""
        with capturedLogs() as logs:
            _, _, host = self.pooled([Port(8080)], after=PATIENCE + 3.0)
            self.scope.advance(PATIENCE + 0.2)
        self.assertEqual(1, sum("opened no port that can be found: name it" in formatEvent(event) for event in logs))
        self.assertEqual([], self.refusals)
        self.sees(TcpTransport(8080, host), 10.0)

    def test_fails_to_start(self) -> None:
        """What goes wrong in a start that takes time is told, and not dropped."""

        class Failing(Service):
            def startService(self) -> Any:
                super().startService()
                return fail(ValueError("the database is down"))

        process = self.scope.element()
        pooled = process.run(Failing(), "pool")
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertTrue(pooled.running)

    def test_disowned(self) -> None:
        """The wrapped service has a parent; it may leave it, and then it is stopped, and no element any more."""
        port = Port(8080)
        _, wrapped, _ = self.pooled([port])
        self.scope.until(lambda: self.seen.elements, 3.0)
        self.assertEqual([wrapped], list(IServiceCollection(wrapped.parent)))
        wrapped.disownServiceParent()
        self.closes(port)
        assert wrapped.stopping is not None
        wrapped.stopping.callback(None)
        self.scope.until(lambda: not self.seen.elements, 1.0)

    def test_elsewhere(self) -> None:
        """A port that others cannot reach at the element's address is refused."""
        for port, hosts in ((Port(1, "127.0.0.1"), None), (Port(1), ("fd00::7",))):
            options: dict[str, Any] = {} if hosts is None else {"hosts": hosts}
            self.pooled([port], **options)
            error = self.refusals.pop().value
            self.assertIsInstance(error, ConfigurationError)
            self.assertRegex(str(error), "^the service listens on (127.0.0.1|IPv4) alone, and the element is at ")
            self.readers.clear()

    def test_refused_for_good(self) -> None:
        """What the registrar refuses the owner is told."""
        self.pooled([Port(1)])
        self.scope.until(lambda: self.seen.elements, 3.0)
        self.pooled([Port(2)], policy="random")
        self.scope.until(lambda: self.refusals, 3.0)
        self.assertIn("policy differs", str(self.refusals[0].value))

    def test_drained(self) -> None:
        """It leaves the pool, lets connections end, and only then stops the service."""
        port = Port(8080)
        pooled, wrapped, _ = self.pooled([port], grace=60.0)
        self.scope.until(lambda: self.seen.elements, 3.0)
        connection = Connection(port)
        self.readers += [connection, Connection(Port(1))]
        stopped = pooled.stopService()
        self.scope.until(lambda: self.seen.history[-1] is None, 1.0)
        self.scope.advance(30.0)
        self.assertIsNone(wrapped.stopping)
        self.readers.remove(connection)
        self.scope.until(lambda: wrapped.stopping is not None, 0.2)
        self.assertNoResult(stopped)
        assert wrapped.stopping is not None
        wrapped.stopping.callback(None)
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """It waits so long and no longer."""
        port = Port(8080)
        pooled, wrapped, _ = self.pooled([port], grace=3.0)
        self.scope.until(lambda: self.seen.elements, 3.0)
        self.readers.append(Connection(port))
        pooled.stopService()
        took = self.scope.until(lambda: wrapped.stopping is not None, 5.0)
        self.assertTrue(2.9 < took < 3.2, took)

    def test_stopped_before_it_was_registered(self) -> None:
        """While its port is looked for, it stops at once, and never registers."""
        pooled, wrapped, _ = self.pooled([Port(8080)], after=2.0)
        self.scope.advance(1.0)
        pooled.stopService()
        self.scope.until(lambda: wrapped.stopping is not None, 0.1)
        self.scope.advance(5.0)
        self.assertEqual({}, self.seen.elements)
