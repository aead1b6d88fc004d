"""Any service as a pool element: registered when its port is known, drained before it stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
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

    def pooled(self, ports: list[Port], after: float = 0.0, **options: Any) -> tuple[PooledService, Wrapped, str]:
        """Start one."""
        process = self.scope.element()
        process.reactor.getReaders = lambda: list(self.readers)  # type: ignore[method-assign]
        if after:
            wrapped = Wrapped(lambda: process.reactor.callLater(after, self.readers.extend, ports))
        else:
            wrapped = Wrapped(lambda: self.readers.extend(ports))
        options = {"hosts": (process.host,), "registrars": self.scope.addresses, "stack": process.stack, **options}
        pooled = PooledService(process.reactor, wrapped, ["pool"], refused=self.refusals.append, **options)
        pooled.privilegedStartService()
        pooled.startService()

        def stop() -> None:
            if pooled.running:
                stopped = pooled.stopService()
                self.scope.until(lambda: wrapped.stopping is not None)
                assert wrapped.stopping is not None
                wrapped.stopping.callback(None)
                self.assertEqual([], [] if stopped.called else [stopped])

        self.addCleanup(stop)
        return pooled, wrapped, process.host

    def sees(self, transport: Any) -> None:
        """The pool has one element, with this transport."""
        self.scope.until(lambda: self.seen.elements, 3.0)
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
        self.scope.advance(PATIENCE + 0.2)
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
