"""How long other registrars have, and what is forgotten when it is over (RFC 5353 sections 3.4 and 3.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Connect, Notify, SctpTransport
from rserpool.core.peering.events import OutOfPlace, PeerLost
from rserpool.core.profiles import RFC
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import DATA_ONLY
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, element, information, owned, place

POOL = b"pool"


class StallTests(SynchronousTestCase):
    """Our own loop stood still: nobody is late, since what was said may lie unread."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P, Q)
        for peer in (P, Q):
            self.scope.presence(peer)

    def questions(self, effects: list[Any]) -> list[int]:
        """Whom it asks whether they live."""
        return [
            peer for peer in (P, Q) if any(each.reply_required for each in self.scope.to(peer, effects, enrp.Presence))
        ]

    def test_nobody_is_asked(self) -> None:
        """Its peers have nearly as long as ever after that; then they are asked."""
        effects = self.scope.stall(1000.0)
        self.assertEqual(self.questions(effects), [])
        effects = self.scope.pass_time(RFC.max_time_last_heard - RFC.peer_heartbeat_cycle - 0.1)
        self.assertEqual(self.questions(effects), [])
        self.assertEqual(self.questions(self.scope.pass_time(0.2)), [P, Q])

    def test_nobody_is_dead(self) -> None:
        """A peer was asked, and its answer may lie unread: it has MAX-TIME-NO-RESPONSE once more."""
        effects = self.scope.silence(RFC.max_time_last_heard + 0.1, Q)
        self.assertEqual(self.questions(effects), [P])
        effects = self.scope.stall(1000.0)
        effects += self.scope.silence(RFC.max_time_no_response - 0.2, Q)
        self.assertNotIn(Notify(PeerLost(P)), effects)
        self.assertIn(Notify(PeerLost(P)), self.scope.silence(0.4, Q))


class ClaimantTests(SynchronousTestCase):
    """3.5.1: who has acknowledged a claim waits for the claimant."""

    def test_the_claimant_is_gone(self) -> None:
        """Then the target is monitored again, and claimed by us in the end; not if another peer is gone."""
        scope = PeeringStage().ready(P, Q, R)
        scope.update(Q, POOL, owned(Q, 1))
        [acknowledged] = scope.hear(P, enrp.InitTakeover(P, 0, Q))
        self.assertEqual(acknowledged, enrp.InitTakeoverAck(SERVER, P, Q))
        target = scope.peering.peers.get(Q)
        assert target is not None
        scope.lose(R)
        self.assertFalse(target.monitored)
        scope.lose(P)
        self.assertTrue(target.monitored)
        # It is asked soon, and silent.
        effects = scope.pass_time(3 * RFC.max_time_no_response)
        self.assertTrue([each for each in scope.to(Q, effects, enrp.Presence) if each.reply_required])


class OrphanTests(SynchronousTestCase):
    """Elements whose home nobody knows: looked for each MAX-TIME-LAST-HEARD, claimed when it is the second time."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)
        # From the beginning of one look round to that of the next.
        self.scope.silence(1.0, P)

    def orphan(self, identifier: int = 1) -> None:
        """P tells of an element of Q, whom nobody knows."""
        self.scope.ready(Q)
        self.scope.update(Q, POOL, owned(Q, identifier))
        self.scope.peering.peers.remove(Q)

    def claims(self, looks: int) -> int:
        """How often it is claimed meanwhile."""
        effects = self.scope.silence(looks * RFC.max_time_last_heard, P)
        return len(self.scope.to(P, effects, enrp.InitTakeover))

    def test_a_claim_that_came_to_nothing(self) -> None:
        """P lives and acknowledges nothing: it is claimed again, not before it was missed for as long once more."""
        self.orphan()
        self.assertEqual([self.claims(1) for _ in range(6)], [0, 1, 0, 1, 0, 0])

    def test_one_that_was_found_meanwhile(self) -> None:
        """Missed once, then it has a home, then it is missed again: that is the first time."""
        self.orphan()
        self.assertEqual(self.claims(1), 0)
        self.scope.all_of(P, enrp.TakeoverServer(P, 0, Q))
        self.assertEqual(self.scope.elements(POOL), {1: P})
        self.assertEqual(self.claims(1), 0)
        self.orphan(2)
        self.assertEqual([self.claims(1) for _ in range(2)], [0, 1])


class SuggestionTests(SynchronousTestCase):
    """What was suggested counts as done for as long as it may still happen (draft-dreibholz-rserpool-enrp-takeover)."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)
        self.scope.peering.suggest = True
        self.scope.up("element")

    def suggested(self, identifier: int) -> bool:
        """An element registers; whether P is told to take it."""
        self.scope.effects.clear()
        self.scope.register("element", POOL, element(identifier))
        updates = self.scope.to(P, self.scope.effects, enrp.HandleUpdate)
        return any(each.takeover_suggested for each in updates)

    def test_half_of_them(self) -> None:
        """One more or less than P would have is no reason."""
        self.assertEqual([self.suggested(each) for each in range(1, 7)], [False, True, False, True, False, True])

    def test_what_is_gone_is_not_to_come(self) -> None:
        """It was suggested and deregisters: P has nothing, and is not taken to have something."""
        self.assertEqual([self.suggested(each) for each in (1, 2)], [False, True])
        self.scope.tell("element", asap.Deregistration(POOL, 2))
        self.assertTrue(self.suggested(3))

    def test_what_has_moved_is_there(self) -> None:
        """It was suggested, and P has taken it: it counts once."""
        self.assertEqual([self.suggested(each) for each in (1, 2)], [False, True])
        self.scope.update(P, POOL, owned(P, 2))
        self.assertEqual([self.suggested(each) for each in (3, 4)], [False, True])

    def test_the_same_again(self) -> None:
        """It registers again, and is suggested again: what was said of it before does not speak against it."""
        self.assertEqual([self.suggested(each) for each in (1, 2, 2, 2)], [False, True, True, True])


class ForgottenTests(SynchronousTestCase):
    """What was waited for, and is not to come."""

    def test_an_audit_whose_peer_is_lost(self) -> None:
        """When it comes again, the audit begins anew at once."""
        scope = PeeringStage().ready(Q)
        request = enrp.HandleTableRequest(SERVER, Q, True)
        self.assertEqual(scope.presence(Q, 0x1234), [request])
        scope.lose(Q)
        self.assertIn(request, scope.meet(Q))

    def test_who_was_asked_twice_may_answer_twice(self) -> None:
        """A configured peer was asked for its list before it said who it is, and after."""
        scope = PeeringStage(P)
        effects = scope.note(scope.enrp.association_up(P, place(P), scope.now, True))
        self.assertIn(enrp.ListRequest(SERVER, 0), scope.to(P, effects))
        self.assertIn(enrp.ListRequest(SERVER, P), scope.presence(P))
        effects = [effect for _ in range(2) for effect in scope.all_of(P, enrp.ListResponse(P, SERVER))]
        self.assertFalse([each for each in effects if isinstance(each, Notify) and isinstance(each.event, OutOfPlace)])

    def test_who_was_named_and_hangs_up(self) -> None:
        """R, whom P names, accepts, says nothing and hangs up: it is forgotten. Named again it is dialled again; who
        did so twice rests, and is dialled once more if it is named meanwhile."""
        scope = PeeringStage().ready(P)
        listed = enrp.ListResponse(P, SERVER, (information(R),))

        def named() -> bool:
            return Connect(place(R), "enrp") in scope.all_of(P, listed)

        def hangs_up() -> list[Any]:
            scope.note(scope.enrp.association_up(R, place(R), scope.now, True))
            return scope.lose(R)

        def dialled() -> int:
            scope.presence(P)
            return scope.pass_time(20.0).count(Connect(place(R), "enrp"))

        self.assertTrue(named())
        self.assertNotIn(Connect(place(R), "enrp"), hangs_up())
        self.assertEqual(dialled(), 0)
        self.assertTrue(named())
        hangs_up()
        self.assertTrue(named())
        hangs_up()
        self.assertFalse(named())
        self.assertEqual(dialled(), 1)
        hangs_up()
        self.assertEqual(dialled(), 0)


class AdoptionTests(SynchronousTestCase):
    """3.5.2: many elements are ours by a takeover: they are told one after the other."""

    def test_one_after_the_other(self) -> None:
        """The first at once, the others within supervision's share of the processor; so the next time, too."""
        scope = PeeringStage()
        for peer in (P, Q):
            scope.ready(peer)
            for identifier in range(1, 501):
                at = SctpTransport(identifier, DATA_ONLY, (f"10.0.1.{peer & 0xFF}",))
                scope.update(peer, b"%d" % peer, replace(owned(peer, identifier), asap_transport=at))
            scope.lose(peer)
            effects = scope.note(scope.enrp.connect_failed(place(peer), scope.now))
            self.assertEqual(scope.elements(b"%d" % peer)[1], SERVER)
            told = [self.asked(effects)] + [self.asked(scope.pass_time(0.25)) for _ in range(4)]
            self.assertEqual(told[0], 1)
            for count in told[1:4]:
                self.assertIn(count, range(140, 170))
            self.assertEqual(sum(told), 500)

    def asked(self, effects: list[Any]) -> int:
        """How many are dialled, to be told."""
        return len([each for each in effects if isinstance(each, Connect) and each.channel == "asap"])
