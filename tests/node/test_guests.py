"""Associations and connections that are opened and left alone (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.core.admission import HELLO, SILENT
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.guests import Guests
from rserpool.testing import Scope
from tests.node.talker import Talker


class Connection:
    """Somebody who came."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True


class GuestsTests(TestCase):
    """Those of a port."""

    def test_silent(self) -> None:
        """Of 1,000 that say nothing 100 are left after some seconds; no timer is left when all are gone."""
        clock = Clock()
        guests = Guests(clock, "connections", 2000, 1000)
        came = [Connection() for _ in range(1000)]
        for each in came:
            self.assertTrue(guests.room("10.6.6.6"))
            guests.comes(each, "10.6.6.6")
        guests.speaks(came[0])
        clock.advance(HELLO)
        self.assertEqual(sum(each.aborted for each in came), 1000 - 1 - SILENT)
        self.assertFalse(came[0].aborted)
        for each in came:
            guests.goes(each)
        self.assertEqual((len(guests), clock.getDelayedCalls()), (0, []))

    def test_timer_ends(self) -> None:
        """The last one goes before the time is over."""
        clock = Clock()
        guests = Guests(clock, "connections", 2000, 1000)
        came = [Connection() for _ in range(200)]
        for each in came:
            guests.comes(each, "10.6.6.6")
        for each in came:
            guests.goes(each)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_told_once(self) -> None:
        """One line of the log for a machine with too many, however often it tries."""
        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        guests = Guests(Clock(), "connections", 100, 10)
        for number in range(1000):
            if guests.room("10.6.6.6"):
                guests.comes(number, "10.6.6.6")  # type: ignore[arg-type]
        self.assertEqual(len(list(observer)), 1)


class AssociationTests(SynchronousTestCase):
    """SCTP associations with a registrar."""

    def setUp(self) -> None:
        self.scope = Scope(0)
        self.addCleanup(self.scope.stop)
        self.registrar = self.scope.registrar(limits=Limits(associations=1000, associations_per_machine=150))
        self.scope.settle()

    def flood(self, address: Any, host: str = "10.6.6.6", number: int = 300) -> list[Talker]:
        """So many associations of one machine, which say nothing."""
        stack = self.scope.network.stack(host)
        talkers = [Talker() for _ in range(number)]
        for talker in talkers:
            stack.open(0, talker).connect(address)
        self.scope.advance(0.5)
        return talkers

    def test_asap(self) -> None:
        """Of one machine 150 are kept; another one is served."""
        talkers = self.flood(self.registrar.address)
        self.assertEqual(sum(not each.lost for each in talkers), 150)
        talker = Talker()
        association = self.scope.network.stack("10.0.2.9").open(0, talker).connect(self.registrar.address)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scope.until(lambda: bool(talker.answers))

    def test_enrp(self) -> None:
        """At the port of ENRP, too."""
        talkers = self.flood(TransportAddress((self.registrar.host,), ENRP_PORT))
        self.assertEqual(sum(not each.lost for each in talkers), 150)

    def test_silence(self) -> None:
        """After some seconds 100 that said nothing are left; who has said something stays."""
        stack = self.scope.network.stack("10.6.6.6")
        talker = Talker()
        association = stack.open(0, talker).connect(self.registrar.address)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scope.until(lambda: bool(talker.answers))
        silent = [Talker() for _ in range(149)]
        for each in silent:
            stack.open(0, each).connect(self.registrar.address)
        self.scope.advance(2 * HELLO)
        self.assertEqual((sum(not each.lost for each in silent), talker.lost), (SILENT, False))

    def test_element(self) -> None:
        """An element is dialled by registrars, which are not that many: of 1,000 it keeps 256."""
        element = self.scope.element("pool")
        self.scope.settle()
        endpoint = element.service.node.asap.sctp
        assert endpoint is not None
        address = TransportAddress(endpoint.hosts, endpoint.port, element.stack.encapsulation_port)
        talkers = self.flood(address, number=1000)
        self.assertEqual(sum(not each.lost for each in talkers), 256)
