"""One registrar, and one pooled service whose ports a test opens and closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from rserpool.element import PooledService
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


class PooledCase(SynchronousTestCase):
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

    def transports(self) -> list[Any]:
        return [element.user_transport for element in self.seen.elements.values()]
