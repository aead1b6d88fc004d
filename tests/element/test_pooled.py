"""Any service as a pool element: registered when its port is known, drained before it stops."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rserpool.core import ConfigurationError, TcpTransport, UdpTransport
from rserpool.element import PooledService
from rserpool.element.pooled import PATIENCE
from tests.node.scene import Scene, Seen


class Reactor(Clock):
    """A clock that knows readers, as reactors do."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def getReaders(self) -> list[Any]:
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        return []


@implementer(IListeningPort)
class Port:
    """A listening port."""

    def __init__(self, number: int, host: str = "0.0.0.0", kind: str = "TCP") -> None:  # noqa: S104
        self.number, self.host, self.type = number, host, kind

    def fileno(self) -> int:
        return self.number

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
    """Opens its ports after a while."""

    def __init__(self, reactor: Reactor, ports: list[Port], after: float = 0.0) -> None:
        self._reactor = reactor
        self._ports = ports
        self._after = after
        self.stopping: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        if self._after:
            self._reactor.callLater(self._after, self._reactor.readers.extend, self._ports)
        else:
            self._reactor.readers += self._ports

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.stopping = Deferred()
        return self.stopping


class PooledTests(SynchronousTestCase):
    """One registrar, one pooled service on a host of its own."""

    def setUp(self) -> None:
        self.scene = Scene(self)
        self.reactor = self.scene.clock = Reactor()
        self.scene.network.clock = self.reactor
        self.registrar = self.scene.registrar()
        self.seen = Seen(self.scene.user(self.registrar))
        self.refusals: list[Failure] = []

    def pooled(self, ports: list[Port], after: float = 0.0, **options: Any) -> tuple[PooledService, Wrapped, str]:
        """Start one."""
        host, stack = self.scene._stack()
        wrapped = Wrapped(self.reactor, ports, after)
        options.setdefault("hosts", (host,))
        pooled = PooledService(
            self.reactor, wrapped, ["pool"], registrars=[self.scene.address(self.registrar)], stack=stack,
            refused=self.refusals.append, **options,
        )  # fmt: skip
        pooled.privilegedStartService()
        pooled.startService()

        def stop() -> None:
            if pooled.running:
                stopped = pooled.stopService()
                self.scene.until(lambda: wrapped.stopping is not None)
                assert wrapped.stopping is not None
                wrapped.stopping.callback(None)
                self.assertEqual([], [] if stopped.called else [stopped])

        self.addCleanup(stop)
        return pooled, wrapped, host

    def sees(self, transport: Any) -> None:
        """The pool has one element, with this transport."""
        self.scene.until(lambda: self.seen.elements, 3.0)
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
        """One that cannot be found is named; so is one of several."""
        _, _, host = self.pooled([], port=("tcp", 99))
        self.sees(TcpTransport(99, host))

    def test_one_of_several(self) -> None:
        """Where the other one listens does not matter."""
        _, _, host = self.pooled([Port(1, "127.0.0.1"), Port(2)], port=("tcp", 2))
        self.sees(TcpTransport(2, host))

    def test_never(self) -> None:
        """Without a port there is nothing to register: the owner is told."""
        self.pooled([])
        self.scene.pass_time(PATIENCE + 0.2)
        self.assertRegex(str(self.refusals[0].value), "opened no port that can be found: name it with --port")
        self.flushLoggedErrors()

    def test_elsewhere(self) -> None:
        """A port that others cannot reach at the element's address is refused."""
        for port, hosts in ((Port(1, "127.0.0.1"), None), (Port(1), ("fd00::7",))):
            options: dict[str, Any] = {} if hosts is None else {"hosts": hosts}
            self.pooled([port], **options)
            error = self.refusals.pop().value
            self.assertIsInstance(error, ConfigurationError)
            self.assertRegex(str(error), "^the service listens on (127.0.0.1|IPv4) alone, and the element is at ")
            self.reactor.readers.clear()

    def test_refused_for_good(self) -> None:
        """What the registrar refuses the owner is told."""
        self.pooled([Port(1)])
        self.scene.until(lambda: self.seen.elements, 3.0)
        self.pooled([Port(2)], policy="random")
        self.scene.until(lambda: self.refusals, 3.0)
        self.assertIn("policy differs", str(self.refusals[0].value))

    def test_drained(self) -> None:
        """It leaves the pool, lets connections end, and only then stops the service."""
        port = Port(8080)
        pooled, wrapped, _ = self.pooled([port], grace=60.0)
        self.scene.until(lambda: self.seen.elements, 3.0)
        connection = Connection(port)
        self.reactor.readers += [connection, Connection(Port(1))]
        stopped = pooled.stopService()
        self.scene.until(lambda: self.seen.history[-1] is None, 1.0)
        self.scene.pass_time(30.0)
        self.assertIsNone(wrapped.stopping)
        self.reactor.readers.remove(connection)
        self.scene.until(lambda: wrapped.stopping is not None, 0.2)
        self.assertNoResult(stopped)
        assert wrapped.stopping is not None
        wrapped.stopping.callback(None)
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """It waits so long and no longer."""
        port = Port(8080)
        pooled, wrapped, _ = self.pooled([port], grace=3.0)
        self.scene.until(lambda: self.seen.elements, 3.0)
        self.reactor.readers.append(Connection(port))
        pooled.stopService()
        took = self.scene.until(lambda: wrapped.stopping is not None, 5.0)
        self.assertTrue(2.9 < took < 3.2, took)

    def test_stopped_before_it_was_registered(self) -> None:
        """While its port is looked for, it stops at once, and never registers."""
        pooled, wrapped, _ = self.pooled([Port(8080)], after=2.0)
        self.scene.pass_time(1.0)
        pooled.stopService()
        self.scene.until(lambda: wrapped.stopping is not None, 0.1)
        self.scene.pass_time(5.0)
        self.assertEqual({}, self.seen.elements)
