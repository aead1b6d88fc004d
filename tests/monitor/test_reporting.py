"""Status reports: what registrars, elements and users say of themselves, when, and how they say goodbye."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.core import ConfigurationError, Rejected, TcpTransport, TransportAddress
from rserpool.core.monitoring.report import AssociationReport, Component, Kind, Report, decode
from rserpool.monitor import Status, StatusReporter, element_status, registrar_status, user_status
from rserpool.monitor.reporting import csp_server, report_interval
from rserpool.monitor.status import SCTP
from rserpool.testing import Scope
from tests.loglines import LogLines

ELEMENT = Component(Kind.POOL_ELEMENT, 7)
SECOND = Component(Kind.POOL_ELEMENT, 8)


class StatusTests(SynchronousTestCase):
    """What there is to report."""

    def setUp(self) -> None:
        self.scope = Scope(0)
        self.addCleanup(self.scope.stop)

    def test_registrar(self) -> None:
        registrar = self.scope.registrar(identifier=0xAA).service
        (status,) = registrar_status(registrar)
        self.assertEqual(status.component, Component(Kind.REGISTRAR, 0xAA))
        self.assertEqual(status.text, "0 elements (0 own) in 0 pools, 0 peers, 0 clients")
        self.assertEqual((status.where, status.workload, status.associations), (["10.0.0.1:3863"], None, ()))
        self.scope.element("www")
        self.scope.settle()
        (status,) = registrar_status(registrar)
        self.assertEqual(status.text, "1 element (1 own) in 1 pool, 0 peers, 1 client")

    def test_registrar_and_its_peer(self) -> None:
        first, second = (self.scope.registrar(identifier=each) for each in (0xAA, 0xBB))
        (status,) = registrar_status(second.service)
        self.assertEqual(status.text, "not ready: waits for the handlespace; 0 peers")
        self.scope.until(lambda: second.ready)
        self.scope.advance(0.5)
        (status,) = registrar_status(first.service)
        self.assertEqual(status.associations, (AssociationReport(Component(Kind.REGISTRAR, 0xBB), SCTP, 12),))
        self.assertIn("1 peer", status.text)

    def test_element(self) -> None:
        """A component for each pool; the load is that of the policy, and the home is known by a keep-alive."""
        self.scope.registrar(identifier=0xAA)
        process = self.scope.element()
        element, transport = process.service, TcpTransport(80, process.host)
        self.assertEqual(element_status(element), [])
        self.assertEqual(element_status(None), [])
        serving = [
            element.serve("www", transport, "least-used:load=25%", identifier=7),
            element.serve("db", transport, identifier=8),
        ]
        self.assertEqual(
            [status.text for status in element_status(element)],
            ["www: looking for a registrar", "db: looking for a registrar"],
        )
        for each in serving:
            self.scope.result(each)
        self.scope.advance(2.0)
        www, db = element_status(element)
        self.assertEqual((www.component, db.component), (ELEMENT, SECOND))
        self.assertEqual((www.text, db.text), ("www: registered", "db: registered"))
        self.assertEqual((www.where, db.workload), (["10.0.1.1:80"], None))
        self.assertAlmostEqual(www.workload or 0.0, 0.25)
        (home,) = www.associations
        self.assertEqual((home.peer, home.protocol, home.ppid), (Component(Kind.REGISTRAR, 0xAA), SCTP, 11))
        self.assertAlmostEqual(home.duration or 0.0, 2.0, 1)

    def test_element_that_is_refused(self) -> None:
        self.scope.registrar()
        self.scope.element("www")
        self.scope.settle()
        second = self.scope.element("www", policy="least-used:load=1%").service
        self.assertRaises(Rejected, self.scope.settle)
        self.assertIn("refused", element_status(second)[0].text)
        self.assertIn("policy differs", element_status(second)[0].text)

    def test_user(self) -> None:
        self.scope.registrar()
        user = self.scope.user(registrars=[TransportAddress(("10.0.0.1",), 3863, 9899)]).service
        (status,) = user_status(user, 99)
        self.assertEqual((status.component, status.text), (Component(Kind.POOL_USER, 99), "has asked no registrar yet"))
        user.subscribe("www", lambda change: None)
        (status,) = user_status(user, 99)
        self.assertEqual(status.text, "looking for a registrar; watches www (?)")
        self.scope.element("www")
        self.scope.settle()
        self.scope.advance(3.0)
        (status,) = user_status(user, 99)
        self.assertEqual(status.text, "home registrar 10.0.0.1:3863/9899; watches www (1 element)")
        (home,) = status.associations
        self.assertEqual((home.peer, home.protocol, home.ppid), (Component(Kind.REGISTRAR, 0), SCTP, 11))
        self.assertGreater(home.duration or 0.0, 2.0)


class Ticking(Clock):
    """A clock that is advanced by hand, and real UDP.

    @ivar ports: the UDP ports that were opened.
    @ivar nameResolver: knows the names of hosts; None knows none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[UdpPort] = []
        self.nameResolver: Any = None

    def listenUDP(self, port: int, protocol: DatagramProtocol, **options: Any) -> Any:
        opened = UdpPort(reactor.listenUDP(port, protocol, **options), protocol)  # type: ignore[attr-defined]
        self.ports.append(opened)
        return opened.port


class UdpPort:
    """One UDP port, which counts what its protocol has received."""

    def __init__(self, port: Any, protocol: DatagramProtocol) -> None:
        self.port = port
        self.received = 0
        self._waiting: list[tuple[int, Deferred[None]]] = []
        self._told = protocol.datagramReceived
        protocol.datagramReceived = self._receive  # type: ignore[method-assign]

    @property
    def address(self) -> tuple[str, int]:
        """Where it is."""
        host = self.port.getHost()
        return host.host, host.port

    def _receive(self, datagram: bytes, addr: Any) -> None:
        self._told(datagram, addr)
        self.received += 1
        for count, waiting in self._waiting:
            if count == self.received:
                waiting.callback(None)

    def after(self, count: int) -> Deferred[None]:
        """Fires when so many datagrams have been received."""
        if self.received >= count:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append((count, waiting))
        return waiting


class Monitor(DatagramProtocol):
    """Collects reports."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.reports.append(decode(datagram))


class ReporterTests(TestCase):
    """Over real UDP."""

    def setUp(self) -> None:
        self.clock = Ticking()
        self.monitor = Monitor()
        port = self.clock.listenUDP(0, self.monitor, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.heard = self.clock.ports[0].after
        self.server = TransportAddress(("127.0.0.1",), port.getHost().port)
        self.described: list[Status] = [Status(ELEMENT, "www: registered", ["10.0.0.1:80"], 0.5)]

    async def test_at_intervals_until_the_end(self) -> None:
        reporter = StatusReporter(self.clock, lambda: self.described, self.server, interval=0.5)
        reporter.startService()
        await self.heard(1)
        self.clock.advance(0.4)
        self.clock.advance(0.1)
        await self.heard(2)
        # A component that is not named any more is gone.
        self.described.append(Status(SECOND, "db: registered"))
        self.clock.advance(0.5)
        await self.heard(4)
        del self.described[0]
        self.clock.advance(0.5)
        await self.heard(6)
        await reporter.stopService()
        await self.heard(7)
        first = self.monitor.reports[0]
        self.assertEqual((first.sender, first.status, first.interval), (ELEMENT, "www: registered", 0.5))
        self.assertTrue(first.location.endswith(": 10.0.0.1:80"), first.location)
        self.assertAlmostEqual(first.workload or 0.0, 0.5, 3)
        self.assertEqual(
            [(report.sender.identifier, round(report.uptime, 3), report.final) for report in self.monitor.reports],
            [(7, 0, False), (7, 0.5, False), (7, 1, False), (8, 1, False), (8, 1.5, False), (7, 1.5, True),
             (8, 1.5, True)],
        )  # fmt: skip
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_reports_until_its_services_have_stopped(self) -> None:
        stopped: Deferred[None] = Deferred()

        class Slow(StatusReporter):
            def stopService(self) -> Deferred[None]:
                return stopped

        inner = Slow(self.clock, list, self.server)
        inner.startService = lambda: None  # type: ignore[method-assign]
        reporter = StatusReporter(self.clock, lambda: self.described, self.server, inner)
        reporter.startService()
        ending = reporter.stopService()
        self.clock.advance(1.0)
        await self.heard(2)
        self.assertNoResult(ending)
        stopped.callback(None)
        await ending
        await self.heard(3)
        self.assertEqual([report.final for report in self.monitor.reports], [False, False, True])

    async def test_nothing_to_describe_harms_nobody(self) -> None:
        """An error is logged, and the next report comes."""
        errors = [ValueError("not now")]

        def describe() -> list[Status]:
            if errors:
                raise errors.pop()
            return self.described

        reporter = StatusReporter(self.clock, describe, self.server)
        reporter.startService()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.advance(1.0)
        await self.heard(1)
        await reporter.stopService()

    async def test_nobody_listens(self) -> None:
        """Neither does a network that is down."""
        for host in ("127.0.0.1", "240.0.0.1", "::1", "2001:db8::1"):
            reporter = StatusReporter(self.clock, lambda: self.described, TransportAddress((host,), 9))
            reporter.startService()
            self.clock.advance(1.0)
            await reporter.stopService()

    async def test_name_that_is_not_there_yet(self) -> None:
        """That nobody is told is said once; then the monitor is found."""
        lines, scope = LogLines(self), Scope(0)
        self.addCleanup(scope.stop)
        server = TransportAddress(("localhost",), self.server.port)
        reporter = StatusReporter(self.clock, lambda: self.described, server)
        reporter.startService()
        expected = ["no status is reported: there is no host named localhost; it is looked up again each 30 s"]
        self.assertEqual(expected, lines.lines)
        self.clock.advance(30.0)
        self.assertEqual(expected, lines.lines)
        self.clock.nameResolver = scope.user().reactor.nameResolver
        self.clock.advance(30.0)
        self.clock.advance(1.0)
        await self.heard(1)
        await reporter.stopService()


class OptionTests(SynchronousTestCase):
    def test_server(self) -> None:
        self.assertEqual(csp_server("127.0.0.1"), TransportAddress(("127.0.0.1",), 2960))
        self.assertEqual(csp_server("[::1]:77"), TransportAddress(("::1",), 77))
        self.assertEqual(csp_server("Example.org."), TransportAddress(("example.org",), 2960))
        for wrong in ("", "example..org", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1,127.0.0.2", "127.0.0.1:1/2"):
            self.assertRaises(ConfigurationError, csp_server, wrong)

    def test_interval(self) -> None:
        self.assertEqual(report_interval("0.25"), 0.25)
        for wrong in ("", "x", "0", "-1", "61", "nan", "inf"):
            self.assertRaises(ConfigurationError, report_interval, wrong)
