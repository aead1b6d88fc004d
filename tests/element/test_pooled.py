"""Any service as a pool element: registered when its port is known, drained before it stops."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import fail
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.wire import Echo

from rserpool.core import ConfigurationError, TcpTransport, UdpTransport
from rserpool.core.wire import asap
from rserpool.element.pooled import PATIENCE
from tests.element.pooled import Connection, PooledCase, Port


class PooledTests(PooledCase):
    """One pooled service on a host of its own."""

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

    def test_one_of_several(self) -> None:
        """Where the other one listens does not matter."""
        _, _, host = self.pooled([Port(1, "127.0.0.1"), Port(2)], port=("tcp", 2))
        self.sees(TcpTransport(2, host))

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

    def test_forwarded(self) -> None:
        """Behind a translator its address is registered; here there is none, and the registrar says whom it sees."""
        self.pooled([Port(8080)], forwarded="203.0.113.9")
        self.scope.until(lambda: self.refusals, 3.0)
        [failure] = self.refusals
        self.assertEqual(
            TcpTransport(8080, "203.0.113.9"),
            next(m.message.element.user_transport for m in self.scope.trace.messages(asap.Registration)),
        )
        self.assertIn("which sees it at 10.0.1.1", str(failure.value))

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
