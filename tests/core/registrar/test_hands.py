"""Elements change hands: how contests end, over which association each speaks, which ones end (RFC 5352 section 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, CauseCode, Close, SctpTransport, TransportAddress
from rserpool.core.handlespace.element import Element
from rserpool.core.registrar import Limits
from rserpool.core.registrar.contests import MOST_RIVALS, MOST_WAITING, Contests
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.wire import asap, enrp
from tests.core.registrar.stage import SERVER, RegistrarStage
from tests.core.stage import element

POOL = b"www"
PLACE = TransportAddress(("10.0.0.1",), 5000, 40000)
"""Where the process of the elements is: the stage's usual association."""


def causes(message: Any) -> list[int]:
    return [cause.code for cause in message.causes]


class ContestTests(SynchronousTestCase):
    """Element 1 has lost its association; rivals want its identifier, and wait."""

    def setUp(self) -> None:
        self.stage = RegistrarStage()
        self.stage.up("a")
        self.stage.register("a", POOL, element(1))
        self.assertEqual(self.stage.dialled(self.stage.lost("a")), [PLACE])
        for number, rival in enumerate(("b", "c"), 2):
            self.stage.up(rival, host=f"10.0.0.{number}")
            self.assertEqual(self.stage.register(rival, POOL, element(1, host=f"10.0.0.{number}")), [])

    def host(self) -> str | None:
        """Whose it is."""
        found = self.stage.registrar.handlespace.find(POOL, 1)
        return None if found is None else found.parameter().user_transport.addresses[0]

    def test_a_rival_that_is_gone(self) -> None:
        """It wins nothing; the next one does."""
        self.stage.lost("b")
        effects = self.stage.refused(PLACE)
        self.assertEqual(self.stage.sent("b", effects), [])
        self.assertEqual(self.stage.sent("c", effects), [asap.RegistrationResponse(POOL, 1)])
        self.assertEqual(self.host(), "10.0.0.3")

    def test_all_rivals_are_gone(self) -> None:
        for rival in ("b", "c"):
            self.stage.lost(rival)
        self.stage.refused(PLACE)
        self.assertIsNone(self.host())

    def test_refused_once(self) -> None:
        """It answers, and they are refused; when it dies later, nobody has it: they have been told that they do not."""
        self.stage.up("again", outbound=True)
        effects = self.stage.registrar.receive("again", asap.EndpointKeepAliveAck(POOL, 1), self.stage.now)
        for rival in ("b", "c"):
            [refused] = self.stage.sent(rival, effects)
            self.assertEqual(causes(refused), [CauseCode.NON_UNIQUE_PE_IDENTIFIER])
        effects = self.stage.lost("again")
        effects += self.stage.pass_time(0.2)
        effects += self.stage.refused(PLACE)
        self.assertEqual((self.stage.sent("b", effects), self.stage.sent("c", effects)), ([], []))
        self.assertIsNone(self.host())

    def test_granted_once(self) -> None:
        """The first one has it, the second one is refused, and waits no more: when the first dies, it has nothing."""
        effects = self.stage.refused(PLACE)
        self.assertEqual(self.stage.sent("b", effects), [asap.RegistrationResponse(POOL, 1)])
        [refused] = self.stage.sent("c", effects)
        self.assertTrue(refused.rejected)
        effects = self.stage.lost("b")
        [peer] = self.stage.dialled(effects)
        effects += self.stage.refused(peer)
        self.assertEqual(self.stage.sent("c", effects), [])
        self.assertIsNone(self.host())


class RoomTests(SynchronousTestCase):
    """How many may wait, in all."""

    def test_so_many_and_no_more(self) -> None:
        """Until some of them are gone, or know what they waited for."""
        stage, contests = RegistrarStage(), Contests()
        registrar: Any = stage.registrar
        for number in range(MOST_RIVALS):
            stage.up(f"rival {number}")
        rivals = [registrar._clients.get(f"rival {number}") for number in range(MOST_RIVALS)]
        elements = [Element(POOL, number) for number in range(1 + MOST_WAITING // MOST_RIVALS)]
        message = asap.Registration(POOL, element(1))
        waits = [contests.wait(each, rival, message) for each in elements for rival in rivals]
        self.assertEqual(waits, [True] * MOST_WAITING + [False] * MOST_RIVALS)
        self.assertEqual(len(contests.over(elements[0])), MOST_RIVALS)
        self.assertEqual([contests.wait(elements[-1], rival, message) for rival in rivals], [True] * MOST_RIVALS)
        self.assertFalse(contests.wait(elements[0], rivals[0], message))
        contests.lost(rivals[0])
        self.assertTrue(contests.wait(elements[0], rivals[1], message))


class AssociationTests(SynchronousTestCase):
    """Over which association an element speaks, and what it takes along."""

    def setUp(self) -> None:
        self.stage = RegistrarStage(limits=Limits(elements_per_association=2))
        self.stage.up("a")

    def test_an_answer_binds(self) -> None:
        """Its process has opened another association, and answers over that: that it cannot be dialled does not count
        any more, it is asked there from then on, and if that is lost, it is in doubt."""
        self.stage.register("a", POOL, element(1))
        self.stage.lost("a")
        self.stage.up("again")
        self.stage.tell("again", asap.EndpointKeepAliveAck(POOL, 1))
        self.assertEqual(self.stage.refused(PLACE), [])
        question = asap.EndpointKeepAlive(SERVER, POOL, False, 1)
        self.assertEqual(self.stage.sent("again", self.stage.pass_time(0.6)), [question])
        self.stage.tell("again", asap.EndpointKeepAliveAck(POOL, 1))
        self.assertEqual(self.stage.dialled(self.stage.lost("again")), [PLACE])

    def test_a_full_association_takes_no_more_elements(self) -> None:
        """Neither new ones nor those of another association; those that it has may change."""
        for identifier in (1, 2):
            self.stage.register("a", POOL, element(identifier))
        self.stage.up("again")
        for identifier in (3, 4):
            [granted] = self.stage.register("again", POOL, element(identifier))
            self.assertFalse(granted.rejected)
        for identifier in (1, 5):
            [refused] = self.stage.register("again", POOL, element(identifier))
            self.assertEqual((refused.rejected, causes(refused)), (True, [CauseCode.LACK_OF_RESOURCES]))
        [granted] = self.stage.register("again", POOL, element(3, port=81))
        self.assertFalse(granted.rejected)
        # Where one has gone there is room for another that comes over.
        self.stage.tell("again", asap.Deregistration(POOL, 4))
        [granted] = self.stage.register("again", POOL, element(1))
        self.assertFalse(granted.rejected)
        self.assertEqual(len(self.stage.dialled(self.stage.lost("a"))), 1)

    def test_over_tcp_nobody_deregisters(self) -> None:
        """Neither an element that is there, also from its own address, nor one that is not."""
        self.stage.register("a", POOL, element(1))
        self.stage.lost("a")
        self.stage.up("t", encapsulation=0, protocol="tcp")
        for identifier in (1, 2):
            [answer] = self.stage.tell("t", asap.Deregistration(POOL, identifier))
            self.assertEqual(causes(answer), [CauseCode.REJECTED_FOR_SECURITY])
        self.assertIsNotNone(self.stage.registrar.handlespace.find(POOL, 1))


class EndTests(SynchronousTestCase):
    """Which associations end with an element, and how: those that we opened to ask it, and that nobody else needs."""

    def setUp(self) -> None:
        self.stage = RegistrarStage()

    def ends(self, effects: list[Any]) -> list[Any]:
        return [effect for effect in effects if isinstance(effect, (Abort, Close))]

    def silent(self) -> list[Any]:
        """Time for an answer passes."""
        return self.stage.pass_time(2.0)

    def test_the_elements_own(self) -> None:
        """It is silent, and told that it is out, over the association that it opened itself: that is its own."""
        self.stage.up("a")
        self.stage.register("a", POOL, element(1))
        effects = self.silent()
        self.assertEqual(self.stage.sent("a", effects)[-1], asap.DeregistrationResponse(POOL, 1))
        self.assertEqual(self.ends(effects), [])

    def test_ours_with_two_elements(self) -> None:
        """One of two answers: the association that we opened to both stays."""
        self.stage.up("a")
        for identifier in (1, 2):
            self.stage.register("a", POOL, element(identifier))
        self.stage.lost("a")
        self.stage.up("probe", outbound=True)
        self.stage.tell("probe", asap.EndpointKeepAliveAck(POOL, 2))
        effects = self.stage.pass_time(0.7)
        self.stage.tell("probe", asap.EndpointKeepAliveAck(POOL, 2))
        effects += self.stage.pass_time(0.5)
        self.assertEqual(self.stage.notified(effects, ElementRemoved), [ElementRemoved(POOL, 1, "unreachable")])
        self.assertEqual(self.ends(effects), [])

    def test_theirs_that_is_not_needed(self) -> None:
        """Who was to be dialled has dialled us meanwhile, and the element is gone: its association is its own."""
        self.stage.up("a")
        self.stage.register("a", POOL, element(1))
        dialled = self.stage.lost("a")
        self.stage.up("again")
        self.stage.tell("again", asap.Deregistration(POOL, 1))
        self.assertEqual(self.ends(self.stage.met("again", dialled)), [])

    def test_ours_that_has_become_an_elements(self) -> None:
        """The element that was asked is gone when the association is up, but another has registered over it."""
        self.stage.up("a")
        self.stage.register("a", POOL, element(1))
        dialled = self.stage.lost("a")
        self.stage.up("again", outbound=True)
        self.stage.register("again", POOL, element(2))
        self.stage.tell("again", asap.Deregistration(POOL, 1))
        self.assertEqual(self.ends(self.stage.met("again", dialled)), [])


class ForeignTests(SynchronousTestCase):
    """The same with elements of another registrar, which users have reported."""

    def setUp(self) -> None:
        self.stage = RegistrarStage()
        self.stage.up("user", host="10.0.0.50")
        side = self.stage.registrar.enrp
        side.association_up("peer", TransportAddress(("10.0.0.99",), 9901), self.stage.now)
        for identifier in (7, 8):
            parameter = replace(
                element(identifier), home=99, asap_transport=SctpTransport(5000, 0, ("10.0.0.1",)), encapsulation=40000
            )
            side.receive("peer", enrp.HandleUpdate(99, 0, enrp.UpdateAction.ADD_PE, POOL, parameter), self.stage.now)

    def report(self, identifier: int) -> list[Any]:
        return self.stage.registrar.receive("user", asap.EndpointUnreachable(POOL, identifier), self.stage.now)

    def answers(self, name: str, identifier: int) -> list[Any]:
        return self.stage.registrar.receive(name, asap.EndpointKeepAliveAck(POOL, identifier), self.stage.now)

    def test_theirs(self) -> None:
        """Its process has an association with us: that stays, whether it answers or not."""
        self.stage.up("a")
        self.stage.met("a", self.report(7))
        self.assertEqual(self.answers("a", 7), [])
        self.stage.met("a", self.report(8))
        effects = self.stage.pass_time(2.0)
        self.assertEqual([each for each in effects if isinstance(each, (Abort, Close))], [])

    def test_two_questions(self) -> None:
        """Of two that were asked over it the first answers, and the second: then it ends."""
        dialled = self.report(7) + self.report(8)
        self.stage.up("probe", outbound=True)
        self.assertEqual(self.stage.dialled(dialled), [PLACE])
        self.assertEqual(self.answers("probe", 7), [])
        self.assertEqual(self.answers("probe", 8), [Close("probe")])

    def test_an_element_of_ours_is_there(self) -> None:
        """One of the same process registers with us over it: it stays."""
        self.report(7)
        self.stage.up("probe", outbound=True)
        self.stage.register("probe", POOL, element(1))
        self.assertEqual(self.answers("probe", 7), [])
