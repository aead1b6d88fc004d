"""An element is told to drain, or to serve again, by a registrar that knows of it what it says itself, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SctpTransport, TransportAddress
from rserpool.core.errors import CannotAct
from rserpool.core.registrar.events import DrainAnswered, DrainingEnded, ElementRemoved
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.orders import Drainer, Order, OrderAnswer, Result
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from rserpool.core.wire.private import Draining
from tests.core.registrar.stage import SERVER, RegistrarStage
from tests.core.stage import element

POOL = b"pool"
PEER = 99


class DrainingTestCase(SynchronousTestCase):
    """One registrar, one element, perhaps a peer."""

    def setUp(self) -> None:
        self.stage = RegistrarStage()
        self.registrar = self.stage.registrar
        self.enrp = self.registrar.enrp
        self.stage.up("pe")
        self.stage.register("pe", POOL, element(7))

    def order(self, drains: bool) -> list[Any]:
        return self.stage.note(self.registrar.operating.drain(POOL, 7, drains, self.stage.now))

    def says(self, drains: bool | None = None, private: bool = True) -> list[Any]:
        """The element acknowledges what it was asked; what it is told then."""
        draining = None if drains is None else Draining(drains, 3)
        return self.stage.tell("pe", asap.EndpointKeepAliveAck(POOL, 7, private, draining))

    def drained(self) -> None:
        self.order(True)
        self.says()
        self.says(True)
        self.stage.tell("pe", asap.Deregistration(POOL, 7, True))
        self.assertEqual([(POOL, 7)], list(self.registrar.draining.held))
        self.answers()

    def answers(self) -> list[tuple[bool, str]]:
        """What operators have heard since this was asked last."""
        answers = self.stage.notified(self.stage.effects, DrainAnswered)
        self.stage.effects.clear()
        return [(each.drains, each.refused) for each in answers]

    def asserts_refused(self, drains: bool, words: str) -> None:
        ((of, refused),) = self.answers()
        self.assertIs(drains, of)
        self.assertIn(words, refused)

    # A peer

    def peer(self) -> None:
        self.enrp.association_up("peer", TransportAddress(("10.0.0.99",), 9901), self.stage.now)
        self.presence()

    def presence(self, *drainers: Drainer, order: Any = None, sender: int = PEER, over: str = "peer") -> list[Any]:
        presence = enrp.Presence(sender, SERVER, order=order, drainers=drainers, private=True)
        return self.stage.note(self.enrp.receive(over, presence, self.stage.now))

    def tells(self, **options: Any) -> list[Any]:
        """The peer has the element as its own, and tells us."""
        place = SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.0.1",))
        parameter = replace(element(7), home=PEER, asap_transport=place, encapsulation=40000)
        update = enrp.HandleUpdate(PEER, SERVER, enrp.UpdateAction.ADD_PE, POOL, parameter, **options)
        return self.stage.note(self.enrp.receive("peer", update, self.stage.now))

    @staticmethod
    def orders(effects: list[Any]) -> list[Any]:
        return [e.message.order for e in effects if isinstance(getattr(e, "message", None), enrp.Presence)]


class ServesAlreadyTests(DrainingTestCase):
    """That an element serves is said by itself alone."""

    def test_it_says_so(self) -> None:
        self.order(False)
        self.assertEqual([], self.answers())
        self.says()
        self.assertEqual([], self.answers())
        self.says()  # a keep-alive that was on its way says nothing of it
        self.assertEqual([], self.answers())
        self.says(False)
        self.asserts_refused(False, "element 0x00000007 of pool serves already")

    def test_it_knows_nothing_of_it(self) -> None:
        self.order(False)
        self.says(private=False)
        self.asserts_refused(False, "serves already")

    def test_it_drains_at_another_home(self) -> None:
        """The two registrars do not see each other: it says so, and is removed here."""
        self.order(False)
        self.says()
        self.stage.tell("pe", asap.Deregistration(POOL, 7))
        self.asserts_refused(False, "is not registered here any more")
        self.assertEqual({}, self.registrar.handlespace.pools)
        self.says(True)
        self.assertEqual([], self.answers())

    def test_it_says_nothing(self) -> None:
        self.order(False)
        self.stage.pass_time(self.registrar.draining.patience + 0.1)
        self.asserts_refused(False, "did not answer in time")


class OverTests(DrainingTestCase):
    """What was ordered is done, or it is said that it is not."""

    def setUp(self) -> None:
        super().setUp()
        self.drained()

    def test_it_serves_again(self) -> None:
        (question,) = self.stage.sent("pe", self.order(False))
        # It drains, as both know.
        self.assertEqual(Draining(True), question.draining)
        (question,) = self.says(True)
        self.assertEqual(Draining(False), question.draining)
        self.says(False)
        self.assertEqual([], self.answers())
        self.stage.register("pe", POOL, element(7))
        self.assertEqual([(False, "")], self.answers())
        self.assertEqual({}, self.registrar.draining.held)

    def test_its_association_is_lost(self) -> None:
        self.order(False)
        self.stage.lost("pe")
        self.asserts_refused(False, "does not serve again: its association is gone")

    def test_it_leaves(self) -> None:
        self.order(False)
        self.stage.tell("pe", asap.Deregistration(POOL, 7))
        self.asserts_refused(False, "does not serve again: it has left")

    def test_it_stands_still(self) -> None:
        self.order(False)
        self.stage.pass_time(60.0)
        self.assertEqual({}, self.registrar.draining.held)
        self.asserts_refused(False, "of pool does not")

    def test_it_is_asked_on_meanwhile(self) -> None:
        """A question to those that drain does not have it drain again."""
        self.order(False)
        self.says(True)
        asked: list[Any] = []
        while self.registrar.draining.held and not asked:
            asked = self.stage.sent("pe", self.stage.pass_time(1.0))
        self.assertEqual({Draining(False)}, {each.draining for each in asked})
        self.stage.register("pe", POOL, element(7))
        self.assertEqual([(False, "")], self.answers())

    def test_it_is_evicted(self) -> None:
        """It would be refused: that is said at once, and it drains on."""
        self.stage.note(self.registrar.operating.evict(POOL, 7, 60, self.stage.now))
        self.stage.effects.clear()
        failed = self.assertRaises(CannotAct, self.order, False)
        self.assertIn("is evicted, for 60 s yet", str(failed))
        self.order(True)
        self.assertEqual([(True, "")], self.answers())

    def test_it_says_again_that_it_drains(self) -> None:
        """Since when, and how many connections it had, is known yet."""
        (before,) = self.registrar.draining.held.values()
        self.says(True)
        self.stage.pass_time(1.0)
        self.stage.tell("pe", asap.Deregistration(POOL, 7, True))
        (held,) = self.registrar.draining.held.values()
        self.assertEqual((before.since, 3, before.element), (held.since, held.connections, held.element))

    def test_the_same_is_wanted_twice(self) -> None:
        self.order(False)
        self.assertEqual([], self.stage.sent("pe", self.order(False)))
        self.says(True)
        self.stage.register("pe", POOL, element(7))
        self.assertEqual([(False, "")], self.answers())

    def test_another_operator_wants_it_otherwise(self) -> None:
        """Whoever comes last has it; whoever came before hears so, and waits no longer."""
        self.order(False)
        self.order(True)
        self.asserts_refused(False, "an operator wants it otherwise")
        self.says(True)  # asked for the first one
        self.says(True)
        self.assertEqual([(True, "")], self.answers())
        self.assertEqual([(POOL, 7)], list(self.registrar.draining.held))

    def test_it_has_served_again_when_another_wants_it_otherwise(self) -> None:
        self.order(False)
        self.says(True)
        self.order(True)
        self.answers()
        self.stage.register("pe", POOL, element(7))
        self.assertEqual([], self.answers())
        self.says(False)
        self.says(False)
        self.says(True)
        self.stage.tell("pe", asap.Deregistration(POOL, 7, True))
        self.assertEqual([(True, "")], self.answers())
        self.assertEqual([(POOL, 7)], list(self.registrar.draining.held))


class StaleTests(DrainingTestCase):
    """Another registrar was cut off when the element moved to us and was told to drain: it has it as its own."""

    def setUp(self) -> None:
        super().setUp()
        self.drained()
        self.peer()
        self.tells()
        self.assertIsNotNone(self.registrar.handlespace.find(POOL, 7))

    def test_it_serves_again_here(self) -> None:
        self.order(False)
        self.says(True)
        self.stage.register("pe", POOL, element(7))
        self.assertEqual([(False, "")], self.answers())
        self.assertEqual({}, self.registrar.draining.held)
        (found,) = self.registrar.handlespace.owned_by(SERVER)
        self.assertEqual(7, found.identifier)

    def test_it_is_asked_to_drain(self) -> None:
        self.order(True)
        self.assertEqual([(True, "")], self.answers())

    def test_the_other_passes_on_what_its_operator_wants(self) -> None:
        self.presence(order=Order(1, False, POOL, 7, "ann"))
        self.says(True)
        self.stage.register("pe", POOL, element(7))
        self.assertEqual([Result.DONE], [each.result for each in self.orders(self.stage.effects) if each is not None])

    def test_we_take_it_over(self) -> None:
        """It is removed, with the word that it is ours no longer, and nobody dials it."""
        effects = self.tells(takeover_suggested=True)
        self.assertIsNone(self.registrar.handlespace.find(POOL, 7))
        self.assertEqual(["deregistered"], [each.why for each in self.stage.notified(effects, ElementRemoved)])
        self.assertEqual([], self.stage.dialled(effects))
        self.assertEqual([(POOL, 7)], list(self.registrar.draining.held))
        self.assertEqual([], self.stage.notified(effects, DrainingEnded))


class ElsewhereTests(DrainingTestCase):
    """We have it in our handlespace, and a peer says that it drains there."""

    def setUp(self) -> None:
        super().setUp()
        self.peer()

    def test_who_looks_after_it_is_asked(self) -> None:
        self.enrp.association_up("old", TransportAddress(("10.0.0.98",), 9901), self.stage.now)
        self.tells()
        self.presence(Drainer(POOL, 7))
        (order,) = (each for each in self.orders(self.order(False)) if each is not None)
        self.assertEqual((False, POOL, 7), (order.drains, order.handle, order.identifier))
        self.presence(Drainer(POOL, 7), order=OrderAnswer(order.number, Result.DONE))
        self.assertEqual([(False, "")], self.answers())

    def test_two_have_it_for_a_moment(self) -> None:
        """One does not know yet that it has gone to the other: what that one says counts."""
        self.stage.tell("pe", asap.Deregistration(POOL, 7))
        self.enrp.association_up("late", TransportAddress(("10.0.0.98",), 9901), self.stage.now)
        for results in ((Result.REFUSED, Result.DONE), (Result.DONE,), (Result.REFUSED, Result.REFUSED)):
            for peer, name in (PEER, "peer"), (98, "late"):
                self.presence(Drainer(POOL, 7), sender=peer, over=name)
            one, other = (each for each in self.orders(self.order(False)) if each is not None)
            self.assertEqual(one, other)
            self.answers()
            for result, (peer, name) in zip(results, ((PEER, "peer"), (98, "late")), strict=False):
                self.assertEqual([], self.answers())
                answer = OrderAnswer(one.number, result, why="it is gone" if result else "")
                self.presence(Drainer(POOL, 7), order=answer, sender=peer, over=name)
            self.assertEqual([(False, "it is gone" if results[-1] else "")], self.answers())

    def test_evicting_it(self) -> None:
        """Where it serves, its home alone knows."""
        self.stage.tell("pe", asap.Deregistration(POOL, 7))
        self.presence(Drainer(POOL, 7))
        failed = self.assertRaises(CannotAct, self.registrar.operating.evict, POOL, 7, 60, self.stage.now)
        self.assertIn("drains at registrar 0x00000063 (ENRP at 10.0.0.99:9901): ask that one", str(failed))

    def test_evicting_what_came_draining(self) -> None:
        self.stage.tell("pe", asap.Deregistration(POOL, 7))
        self.stage.tell("pe", asap.Deregistration(POOL, 7, True))
        self.assertEqual([(POOL, 7)], list(self.registrar.draining.held))
        failed = self.assertRaises(CannotAct, self.registrar.operating.evict, POOL, 7, 60, self.stage.now)
        self.assertIn("undrain it first", str(failed))
