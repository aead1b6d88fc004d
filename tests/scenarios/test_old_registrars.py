"""A scope with a registrar that is older or stricter than ours: one drops what it does not know, one ends at it."""

from __future__ import annotations

from rserpool.core import TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.peering.events import Audited, Initialized, PeerLost, PeerSilent, PeerUnreachable, TakenOver
from rserpool.core.wire import enrp
from rserpool.session import Session, SessionFactory
from rserpool.testing import RegistrarProcess
from tests.core.peering.stage import owned
from tests.scenarios.old_registrars import OldRegistrar
from tests.scenarios.stage import POOL, ScenarioTestCase
from tests.session.scope import Echo
from tests.simulation.cluster import Cluster

HANDLE = POOL.encode()


class OldTests(ScenarioTestCase):
    """The tolerant one; what is asked of the strict one is the same."""

    strict = False

    def setUp(self) -> None:
        self.scope = self.cluster(1, topology="none", start=False)

    def old(self, elements: int = 0, presences: bool = True) -> OldRegistrar:
        """It serves, and has elements."""
        old = OldRegistrar(self.scope, strict=self.strict, presences=presences)
        for identifier in range(1, elements + 1):
            old.adopt(HANDLE, owned(old.identifier, identifier, "round-robin"))
        return old

    def ours(self, old: OldRegistrar) -> RegistrarProcess:
        """One of ours, which is configured with the old one."""
        return self.scope.registrar(peers=(old.address,))

    def assert_at_peace(self, old: OldRegistrar, ours: RegistrarProcess, elements: int) -> None:
        """Both know all for a minute; nobody believes the other dead, and nobody asks for tables without end."""
        before = len(self.requests(old))
        self.scope.advance(60.0)
        self.assertEqual((old.alive, old.met), (True, []))
        self.assertEqual(len(old.elements), elements)
        self.assertEqual(len(ours.role.handlespace), elements)
        self.assertEqual(self.scope.trace.events(PeerLost), [])
        self.assertEqual(self.scope.trace.events(TakenOver), [])
        self.assertLessEqual(len(self.requests(old)) - before, 1)
        asked = self.scope.trace.messages(enrp.HandleTableRequest, target=ours.name)
        self.assertLessEqual(len([each for each in asked if each.message.sender == old.identifier]), 6)

    def requests(self, old: OldRegistrar) -> list[object]:
        return [message for message in old.heard if isinstance(message, enrp.HandleTableRequest)]

    def test_ours_joins(self) -> None:
        """It gets the list and the whole table, though no presence is answered."""
        old = self.old(3)
        ours = self.ours(old)
        self.scope.until(lambda: ours.ready, 5.0)
        (ready,) = self.scope.trace.events(Initialized, ours.name)
        self.assertEqual((ready.mentor, ready.elements), (old.identifier, 3))
        self.scope.element(POOL, service={"registrars": [ours.address]})
        self.scope.advance(1.0)
        self.assert_at_peace(old, ours, 4)

    def test_ours_joins_one_that_says_nothing_of_itself(self) -> None:
        """No presence ever comes of it: an answer is a sign of life, too."""
        old = self.old(3, presences=False)
        ours = self.ours(old)
        self.scope.until(lambda: ours.ready, 5.0)
        self.assertEqual(len(ours.role.handlespace), 3)
        self.assert_at_peace(old, ours, 3)

    def test_it_joins_ours(self) -> None:
        """It gets our elements without what it does not know, in the table as in updates."""
        ours = self.scope.registrar()
        self.scope.advance(1.0)
        self.scope.element(POOL, service={"registrars": [ours.address]})
        element = self.scope.element(service={"registrars": [ours.address]})
        element.serve("sessions", framing=1)
        self.scope.advance(1.0)
        old = self.old(2)
        old.dial(TransportAddress((ours.host,), ENRP_PORT))
        self.scope.advance(3.0)
        element.serve("more sessions", framing=1)
        self.scope.advance(1.0)
        self.assert_at_peace(old, ours, 5)

    def test_two_of_ours(self) -> None:
        """What the private parameters say goes between ours all the same."""
        old = self.old(1)
        ours = [self.ours(old), self.ours(old)]
        self.scope.advance(3.0)
        self.scope.element(service={"registrars": [ours[0].address]}).serve("sessions", framing=1)
        self.scope.advance(1.0)
        for registrar in ours:
            (element,) = registrar.elements("sessions").values()
            self.assertEqual(element.parameter().framing, 1)
            self.assertNotEqual(element.parameter().encapsulation, 0)
        self.assert_at_peace(old, ours[0], 2)

    def test_an_element_registers(self) -> None:
        """What is not answered is sent again without private parameters, and so it goes on."""
        old = self.old()
        old.reborn = self.strict
        element = self.scope.element(service={"registrars": [old.asap]})
        element.serve("sessions", framing=1)
        element.serve(POOL)
        self.scope.until(lambda: len(old.elements) == 2, 30.0)
        before = len(old.met)
        self.assertTrue(2 <= before <= 3, old.met)
        self.scope.advance(60.0)
        self.assertEqual((old.alive, len(old.met)), (True, before))
        self.assertTrue(all(element.pools.values()))

    def test_sessions(self) -> None:
        """What an element speaks that registered there is heard from itself."""
        old = self.old()
        old.reborn = self.strict
        ours = self.ours(old)
        self.scope.element(service={"registrars": [old.asap]}).serve(POOL, SessionFactory(lambda: Echo(b"a", [])))
        self.scope.until(lambda: len(ours.role.handlespace) == 1, 60.0)
        (element,) = ours.elements(POOL).values()
        self.assertEqual(0, element.parameter().framing)
        session = Session(self.scope.user().service, POOL)
        self.assertEqual(b"a 1", self.scope.result(session.request(b"1")))

    def test_it_ends(self) -> None:
        """When it is killed, its elements are taken over."""
        old = self.old(2)
        ours = self.ours(old)
        self.scope.advance(5.0)
        old.end()
        self.scope.until(lambda: self.scope.trace.events(TakenOver, ours.name), 10.0)


class StrictTests(OldTests):
    """It ends at a parameter that it does not know."""

    strict = True


class TellingTests(ScenarioTestCase):
    """The operator hears of a configured peer that is of no use."""

    def scope(self) -> Cluster:
        return self.cluster(1, topology="none", start=False)

    def test_unreachable(self) -> None:
        scope = self.scope()
        there = TransportAddress(("10.0.9.9",), ENRP_PORT)
        ours = scope.registrar(peers=(there,))
        scope.until(lambda: scope.trace.events(PeerUnreachable, ours.name), 30.0)
        scope.advance(60.0)
        told = scope.trace.events(PeerUnreachable, ours.name)
        self.assertEqual([(each.address, each.attempts) for each in told][:2], [(there, 2), (there, 10)])
        self.assertLess(len(told), 4)

    def test_silent(self) -> None:
        """It accepts, and answers nothing at all; presences go on, with pauses, and the operator hears of it once."""
        scope = self.scope()
        old = OldRegistrar(scope, strict=True)
        old.deaf = True
        ours = scope.registrar(peers=(old.address,))
        scope.advance(30.0)
        self.assertTrue(ours.ready)
        self.assertEqual([each.address for each in scope.trace.events(PeerSilent)], [old.address])
        self.assertEqual(scope.trace.events(Audited), [])
        presences = [each for each in old.heard if isinstance(each, enrp.Presence)]
        self.assertTrue(4 <= len(presences) <= 12, len(presences))
        self.assertTrue(all(each.reply_required for each in presences))
