"""The registrar as a service, with real elements and users: faults of others do not hold it up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT, RFC
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.node.strangers import MOST
from rserpool.registrar import RegistrarService
from rserpool.sctp.base import PPID_ASAP
from rserpool.testing import ElementProcess, Scope
from tests.node.talker import Talker, talk


class RegistrarTests(SynchronousTestCase):
    """One registrar."""

    def setUp(self) -> None:
        self.scope = Scope(0)
        self.addCleanup(self.scope.stop)

    def member(self, identifier: int) -> ElementProcess:
        """An element in the pool."""
        element = self.scope.element("pool", identifier=identifier)
        self.scope.until(lambda: element.pools[b"pool"])
        return element

    def test_stop_beside_a_silent_peer(self) -> None:
        """With the timers of the RFC a silent peer would hold its end up for minutes."""
        registrar = self.scope.registrar(profile=RFC)
        self.scope.network.detection = 300.0
        element = self.member(1)
        self.scope.silence(element)
        stopped = registrar.service.stopService()
        self.assertLess(self.scope.until(lambda: stopped.called), 3.0)

    def test_element_stops_beside_a_silent_registrar(self) -> None:
        """Twice T3 for the answer, and a second for the associations."""
        registrar = self.scope.registrar()
        self.scope.network.detection = 300.0
        element = self.member(1)
        self.scope.silence(registrar)
        stopped = element.service.stopService()
        self.assertLess(self.scope.until(lambda: stopped.called), 6.0)

    def test_both_stop(self) -> None:
        """A registrar and its element stop at once, whoever is told first: it takes no second."""
        for registrar_first in (True, False):
            registrar, element = self.scope.registrar(), self.member(1)
            services = [registrar.service, element.service]
            stopped = [each.stopService() for each in (services if registrar_first else reversed(services))]
            took = self.scope.until(lambda stopped=stopped: all(each.called for each in stopped))  # type: ignore[misc]
            self.assertLess(took, 1.0)

    def test_a_thousand_of_one_machine(self) -> None:
        """A registrar has restarted, and a thousand elements of one machine come at once: all are let in."""
        registrar = self.scope.registrar()
        stack = self.scope.network.stack("10.9.9.9")
        talkers = [Talker() for _ in range(1000)]
        associations = [stack.open(0, each).connect(registrar.address) for each in talkers]
        self.scope.until(lambda: all(each.up for each in talkers))
        for number, association in enumerate(associations, 1):
            element = PoolElementParameter(number, 0, 60_000, TcpTransport(80, "10.9.9.9"), PolicyParameter(1))
            association.send(asap.encode(asap.Registration(b"pool", element)), PPID_ASAP)
        self.scope.until(lambda: all(each.data for each in talkers))
        granted = [each for each in talkers if not each.lost and not getattr(each.answers[0], "rejected", True)]
        self.assertEqual(1000, len(granted))

    def test_many_at_once(self) -> None:
        """The heartbeats of SCTP become rarer with the number of associations: they are not told so anew for each few
        of many elements that register."""
        profile = replace(DEFAULT, keep_alive_interval=0.01)
        registrar = self.scope.registrar(profile=profile)
        endpoint: Any = registrar.service.node.asap.sctp
        told: list[float] = []
        self.patch(endpoint, "setHeartbeat", told.append)
        talker, association = talk(self.scope, registrar.address)
        for number in range(1, 101):
            element = PoolElementParameter(number, 0, 60_000, TcpTransport(80, "10.9.9.9"), PolicyParameter(1))
            association.send(asap.encode(asap.Registration(b"pool", element)), PPID_ASAP)
        self.scope.until(lambda: len(registrar.service.registrar.handlespace) == 100)
        self.scope.advance(0.1)
        self.assertFalse(talker.lost)
        self.assertEqual([], told)

    def test_silent_element(self) -> None:
        """A host falls silent: its element is gone within 2 s, and back when the host is."""
        self.scope.registrar()
        first, _ = self.member(1), self.member(2)
        seen = self.scope.user().watch("pool")
        self.scope.until(lambda: seen.history == [(1, 2)])
        self.scope.silence(first)
        self.assertLess(self.scope.until(lambda: seen.history[-1] == (2,)), 2.0)
        self.scope.unsilence(first)
        self.assertLess(self.scope.until(lambda: seen.history[-1] == (1, 2)), 3.0)

    def test_crashed_element(self) -> None:
        """A process dies on a living host: gone at once."""
        self.scope.registrar()
        first = self.member(1)
        seen = self.scope.user().watch("pool")
        self.scope.until(lambda: seen.history == [(1,)])
        self.scope.kill(first)
        self.assertLess(self.scope.until(lambda: seen.history[-1] is None), 0.3)

    def test_garbage(self) -> None:
        """Messages that are not ASAP: errors where they are due, and the end of the association when it goes on."""
        registrar = self.scope.registrar()
        talker, association = talk(self.scope, registrar.address)
        association.send(b"\x01\x00\x00\x04", PPID_ASAP)
        association.send(b"nonsense", PPID_ASAP)
        association.send(b"anything", 0)
        self.scope.advance(0.1)
        self.assertEqual({asap.Error}, {type(message) for message in talker.messages})
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scope.until(lambda: isinstance(talker.messages[-1], asap.HandleResolutionResponse))
        self.assertFalse(talker.lost)
        for _ in range(MOST):
            association.send(b"garbage!", PPID_ASAP)
        self.scope.until(lambda: talker.lost)
        self.assertEqual(1, self.scope.result(self.member(1).leave("pool")) or 1)

    def test_limits(self) -> None:
        """A peer that asks too much hears so; it is served again a little later, others at any time."""
        registrar = self.scope.registrar(limits=Limits(requests_per_second=5))
        talker, association = talk(self.scope, registrar.address)
        for _ in range(20):
            association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scope.until(lambda: len(talker.messages) == 20)
        causes = [message.causes[0].code for message in talker.messages]
        self.assertEqual([0x9] * 5 + [0x6] * 15, causes)
        self.member(1)
        self.scope.advance(1.0)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scope.until(lambda: len(talker.messages) == 21)
        self.assertEqual(1, len(talker.messages[-1].elements))

    def test_taken(self) -> None:
        """A port that is taken: it says so, and leaves nothing behind."""
        first = self.scope.registrar()
        second = RegistrarService(first.reactor, asap=first.address, tcp=False, stack=first.stack)
        with self.assertRaises(CannotListenError):
            second.startService()
        self.assertFalse(second.running)
        self.member(1)
