"""Handle resolution at a registrar, and the updates of subscribers (RFC 5352 sections 2.2.5 and 3.3)."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    CauseCode,
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    TransportAddress,
)
from rserpool.core.handles import NOBODY
from rserpool.core.registrar import Limits
from rserpool.core.registrar.answers import AT_ONCE
from rserpool.core.wire import asap
from rserpool.core.wire.words import text_of
from tests.conformance import rfc
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"www"


def causes(message):
    return [cause.code for cause in message.causes]


class NobodyTests(SynchronousTestCase):
    """A user that looks whether its registrar lives asks for a pool that is never there."""

    def test_it_is_no_question(self):
        stage = RegistrarStage()
        stage.up("u")
        for handle, counted in ((NOBODY, 0), (b"gone", 1)):
            answer = stage.resolve("u", handle)
            self.assertEqual([CauseCode.UNKNOWN_POOL_HANDLE], causes(answer))
            counts = stage.registrar.counts
            self.assertEqual((counted, counted), (counts.resolved, counts.unknown))
        self.assertEqual("HandleResolution(does the registrar live?)", text_of(asap.HandleResolution(NOBODY)))
        lives = asap.HandleResolutionResponse(NOBODY, causes=answer.causes)
        self.assertEqual("HandleResolutionResponse(it lives)", text_of(lives))


class ResolutionTests(SynchronousTestCase):
    """3.3: answers, items, scopes."""

    def setUp(self):
        self.stage = RegistrarStage()
        self.stage.up("a")
        self.stage.up("u", host="10.0.0.9")

    def test_absent_items_gives_all_that_fit(self):
        for identifier in range(1, 2501):
            self.stage.register("a", POOL, element(identifier))
        answer = self.stage.resolve("u", POOL)
        self.assertLessEqual(len(asap.encode(answer)), 65535)
        self.assertGreater(len(answer.elements), 700)
        self.assertEqual(len(self.stage.resolve("u", POOL, items=3).elements), 3)

    def test_private_parameters(self):
        """Only who says that it knows them gets them, in answers as in updates: others may drop what has them."""
        self.stage.up("old", host="10.0.0.8")
        for name in ("u", "old"):
            self.stage.tell(name, asap.HandleResolution(POOL, True, None, name == "u"))
        self.stage.register("a", POOL, replace(element(1), framing=1))
        for name in ("u", "old"):
            self.stage.tell(name, asap.HandleResolution(POOL, True, None, name == "u"))
        self.stage.pass_time(0.2)
        self.stage.effects.clear()
        self.stage.register("a", POOL, replace(element(2), framing=1))
        for name, framing in (("u", 1), ("old", 0)):
            [update] = self.stage.sent(name, self.stage.effects)
            self.assertEqual([framing] * 2, [each.framing for each in update.elements])
            [answer] = self.stage.tell(name, asap.HandleResolution(POOL, False, None, name == "u"))
            self.assertEqual([framing] * 2, [each.framing for each in answer.elements])
            self.assertEqual(bool(framing), any(each.encapsulation for each in answer.elements))

    def test_no_items_are_as_many_as_without_the_option(self):
        """0, in answers and in updates: rsplib reads it so."""
        for identifier in (1, 2, 3):
            self.stage.register("a", POOL, element(identifier))
        self.assertEqual(len(self.stage.resolve("u", POOL, items=0, subscribe=True).elements), 3)
        self.stage.pass_time(0.2)
        self.stage.effects.clear()
        self.stage.register("a", POOL, element(4))
        [update] = self.stage.sent("u", self.stage.effects)
        self.assertEqual(len(update.elements), 4)

    def test_round_robin_moves_by_one(self):
        for identifier in (1, 2, 3):
            self.stage.register("a", POOL, element(identifier))
        firsts = [self.stage.resolve("u", POOL, items=2).elements[0].identifier for _ in range(6)]
        self.assertEqual(firsts, [1, 2, 3, 1, 2, 3])

    def test_how_far_the_addresses_reach_that_are_gone(self):
        """A neighbour that only this host could use was in the pool, and is gone: who asks for one element is given
        one, and no other counts as given."""
        self.stage.up("here", host="127.0.0.1")
        policy = "least-used-degradation:load=0,degradation=0.1"
        for identifier in (1, 2):
            self.stage.register("a", POOL, element(identifier, policy))
        self.stage.register("here", POOL, element(3, policy, host="127.0.0.1"))
        self.stage.tell("here", asap.Deregistration(POOL, 3))
        firsts = [self.stage.resolve("u", POOL, items=1).elements[0].identifier for _ in range(4)]
        self.assertEqual(firsts, [1, 2, 1, 2])
        self.assertEqual(self.stage.registrar.handlespace.pools[POOL].scopes, {"global": 2})

    @rfc("5352", "3.3", "MUST also include a pool member")
    def test_policy_is_named(self):
        self.stage.register("a", POOL, element(1))
        self.assertEqual(self.stage.resolve("u", POOL).policy, PolicyParameter(1))
        self.stage.register("a", b"other", element(1, "least-used:load=0.5"))
        self.assertEqual(self.stage.resolve("u", b"other").policy.type, 0x40000001)

    @rfc("5352", "2.2.6", "MUST be present")
    def test_a_pool_that_can_serve_nobody_says_so(self):
        self.stage.register("a", POOL, element(1, "weighted-round-robin:weight=0"))
        self.assertEqual(causes(self.stage.resolve("u", POOL)), [CauseCode.LACK_OF_RESOURCES])

    def test_loopback_addresses_stay_on_the_host(self):
        self.stage.up("local", host="127.0.0.1")
        self.stage.register("local", POOL, element(1, host="127.0.0.1"))
        self.assertEqual(causes(self.stage.resolve("u", POOL)), [CauseCode.LACK_OF_RESOURCES])
        self.assertEqual(len(self.stage.resolve("local", POOL).elements), 1)
        self.stage.register("a", POOL, element(2))
        self.assertEqual([e.identifier for e in self.stage.resolve("u", POOL).elements], [2])

    def test_only_the_usable_addresses_of_an_element_go_out(self):
        self.stage.registrar.association_up(
            "multi", TransportAddress(("fe80::1", "10.0.0.3"), 5000, 40000), self.stage.now
        )
        transport = SctpTransport(80, 1, ("fe80::1", "10.0.0.3"))
        self.stage.register("multi", POOL, PoolElementParameter(1, 0, 60, transport, PolicyParameter(1)))
        [found] = self.stage.resolve("u", POOL).elements
        self.assertEqual(found.user_transport.addresses, ("10.0.0.3",))
        [found] = self.stage.resolve("multi", POOL).elements
        self.assertEqual(found.user_transport.addresses, ("fe80::1", "10.0.0.3"))

    @rfc("5352", "4", "[ENRP server] Furthermore")
    def test_a_message_for_somebody_else_is_reported(self):
        [answer] = self.stage.tell("u", asap.Cookie(b"monster"))
        self.assertEqual(causes(answer), [CauseCode.UNRECOGNIZED_MESSAGE])
        self.assertEqual(self.stage.tell("u", asap.Error(answer.causes)), [])


class SubscriptionTests(SynchronousTestCase):
    """2.2.5: dynamic updates."""

    def setUp(self):
        self.stage = RegistrarStage(keep_alives=False)
        self.stage.up("a")
        self.stage.up("u", host="10.0.0.9")
        self.stage.register("a", POOL, element(1))

    def updates(self, effects):
        return [[e.identifier for e in message.elements] for message in self.stage.sent("u", effects)]

    def register(self, identifier):
        return self.stage.registrar.receive("a", asap.Registration(POOL, element(identifier)), self.stage.now)

    def test_changes_are_told(self):
        self.assertTrue(self.stage.resolve("u", POOL, subscribe=True).accepted)
        self.assertEqual(self.updates(self.register(2)), [[1, 2]])
        self.stage.pass_time(0.2)
        effects = self.stage.registrar.receive("a", asap.Deregistration(POOL, 1), self.stage.now)
        self.assertEqual(self.updates(effects), [[2]])

    def test_who_died_is_told(self):
        """One that does not answer is dead; one that deregisters is not, and who comes back is not any more."""
        self.stage = RegistrarStage()
        for name, host in (("a", "10.0.0.1"), ("b", "10.0.0.2"), ("u", "10.0.0.9")):
            self.stage.up(name, host=host)
        self.stage.register("a", POOL, element(1))
        self.stage.register("b", POOL, element(2, host="10.0.0.2"))
        self.stage.resolve("u", POOL, subscribe=True)
        left = self.stage.registrar.receive("b", asap.Deregistration(POOL, 2), self.stage.now)
        self.assertEqual([()], [message.dead for message in self.stage.sent("u", left)])
        silent = self.stage.sent("u", self.stage.pass_time(4.0))
        self.assertEqual([(1,)], [message.dead for message in silent])

    def test_without_the_s_bit_nothing_is_told(self):
        self.assertFalse(self.stage.resolve("u", POOL).accepted)
        self.assertEqual(self.updates(self.register(2)), [])

    def test_many_changes_make_few_updates(self):
        self.stage.resolve("u", POOL, subscribe=True)
        effects = [effect for identifier in range(2, 52) for effect in self.register(identifier)]
        effects += self.stage.pass_time(0.2)
        updates = self.updates(effects)
        self.assertEqual(len(updates), 2)
        self.assertEqual(updates[-1], list(range(1, 52)))

    def test_updates_move_no_round_robin_head(self):
        self.register(2)
        self.stage.resolve("u", POOL, subscribe=True)  # moves it past 1
        self.register(3)
        self.register(4)
        self.stage.pass_time(0.2)
        self.assertEqual(self.stage.resolve("a", POOL).elements[0].identifier, 2)

    def test_updates_move_no_degradation_counter(self):
        policy = "least-used-degradation:load=0.1,degradation=0.2"
        self.stage.register("a", b"lud", element(1, policy))
        self.stage.resolve("u", b"lud", subscribe=True)
        before = self.stage.registrar.handlespace.find(b"lud", 1).tally
        for identifier in range(2, 6):
            self.stage.register("a", b"lud", element(identifier, policy))
            self.stage.pass_time(0.2)
        self.assertEqual(self.stage.registrar.handlespace.find(b"lud", 1).tally, before)

    def test_the_end_of_a_pool_ends_the_subscription(self):
        self.stage.resolve("u", POOL, subscribe=True)
        effects = self.stage.registrar.receive("a", asap.Deregistration(POOL, 1), self.stage.now)
        [message] = self.stage.sent("u", effects)
        self.assertEqual(causes(message), [CauseCode.UNKNOWN_POOL_HANDLE])
        self.assertEqual(self.stage.registrar.answers.subscriptions, 0)
        self.stage.pass_time(1)
        self.assertEqual(self.updates(self.register(1)), [])

    def test_a_subscriber_that_reads_slowly_gets_the_last_state_when_it_resumes(self):
        self.stage.resolve("u", POOL, subscribe=True)
        self.stage.registrar.association_paused("u", self.stage.now)
        effects = []
        for identifier in range(2, 30):
            effects += self.register(identifier) + self.stage.pass_time(0.11)
        self.assertEqual(self.updates(effects), [])
        [update] = self.updates(self.stage.registrar.association_resumed("u", self.stage.now))
        self.assertEqual(update, list(range(1, 30)))

    def test_a_lost_subscriber_leaves_nothing(self):
        self.stage.resolve("u", POOL, subscribe=True)
        self.stage.lost("u")
        self.assertEqual(self.stage.registrar.answers.subscriptions, 0)
        self.assertEqual(self.updates(self.register(2)), [])


class ForgottenTests(SynchronousTestCase):
    """2.2.5: what was kept for subscribers goes with the last of them."""

    def setUp(self):
        self.stage = RegistrarStage(keep_alives=False, limits=Limits(subscriptions_per_association=1))
        for name in ("a", "b", "u", "v"):
            self.stage.up(name, host="10.0.0.9" if name in "uv" else "10.0.0.1", port=5000 + ord(name))
        self.stage.register("a", POOL, element(1, life=-1))
        self.stage.resolve("u", POOL, subscribe=True)

    def told(self, name, effects):
        return [sorted(each.identifier for each in message.elements) for message in self.stage.sent(name, effects)]

    def come(self, identifier, handle=POOL):
        return self.stage.registrar.receive(
            "a", asap.Registration(handle, element(identifier, life=-1)), self.stage.now
        )

    def test_the_pause_between_updates(self):
        """The next subscriber is told of the first change at once, and nothing is left to wait for."""
        self.assertEqual(self.told("u", self.come(2)), [[1, 2]])
        self.assertEqual(self.told("u", self.come(3)), [])
        self.assertIsNotNone(self.stage.registrar.next_deadline())
        self.stage.lost("u")
        self.assertIsNone(self.stage.registrar.next_deadline())
        self.stage.resolve("v", POOL, subscribe=True)
        self.assertEqual(self.told("v", self.come(4)), [[1, 2, 3, 4]])

    def test_who_died(self):
        """The next subscriber has not known it."""
        self.stage.register("b", POOL, element(2, life=-1))
        self.stage.pass_time(1.0)
        [peer] = self.stage.dialled(self.stage.lost("b"))
        [update] = self.stage.sent("u", self.stage.refused(peer))
        self.assertEqual(update.dead, (2,))
        self.stage.lost("u")
        self.stage.resolve("v", POOL, subscribe=True)
        [update] = self.stage.sent("v", self.come(3))
        self.assertEqual(update.dead, ())

    def test_what_a_slow_reader_missed(self):
        """It is told once when it reads again; who comes later by the same name has missed nothing."""
        self.stage.registrar.association_paused("u", self.stage.now)
        self.assertEqual(self.told("u", self.come(2)), [])
        self.assertEqual(self.told("u", self.stage.registrar.association_resumed("u", self.stage.now)), [[1, 2]])
        self.assertEqual(self.stage.registrar.association_resumed("u", self.stage.now), [])
        self.stage.pass_time(1.0)
        self.stage.registrar.association_paused("u", self.stage.now)
        self.assertEqual(self.told("u", self.come(3)), [])
        self.stage.lost("u")
        self.stage.up("u", host="10.0.0.9")
        self.assertEqual(self.stage.registrar.association_resumed("u", self.stage.now), [])

    def test_a_pool_that_is_gone_takes_no_room(self):
        """After the negative answer the subscription is over: another pool may be watched, and this one again."""
        self.come(7, b"other")
        self.assertFalse(self.stage.resolve("u", b"other", subscribe=True).accepted)
        effects = self.stage.registrar.receive("a", asap.Deregistration(POOL, 1), self.stage.now)
        [negative] = self.stage.sent("u", effects)
        self.assertEqual(causes(negative), [CauseCode.UNKNOWN_POOL_HANDLE])
        self.stage.pass_time(1.0)
        self.assertEqual(self.told("u", self.come(2)), [])
        self.assertTrue(self.stage.resolve("u", b"other", subscribe=True).accepted)

    def test_those_whose_turn_had_not_come(self):
        """So many leave that some had not been told yet, nor of what changed meanwhile: the next subscriber is told of
        the next change, at once, and once."""
        crowd = [f"u{number}" for number in range(2 * AT_ONCE)]
        for name in crowd:
            self.stage.up(name, host="10.0.0.9")
            self.stage.resolve(name, POOL, subscribe=True)
        told = [len(self.stage.sent(name, self.come(2))) for name in crowd[-1:]]
        self.come(3)
        self.assertEqual(told, [0])
        for name in ("u", *crowd):
            self.stage.lost(name)
        self.stage.resolve("v", POOL, subscribe=True)
        self.assertEqual(self.told("v", self.come(4)), [[1, 2, 3, 4]])
        self.assertEqual(self.told("v", self.stage.pass_time(5.0)), [])
