"""Supervision of a registrar's own elements (RFC 5352 sections 3.4 and 3.5)."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    Abort,
    Close,
    TransportAddress,
)
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar.events import ElementRemoved, SupervisionStretched
from rserpool.core.registrar.shares import AIM, COST, SHARE
from rserpool.core.wire import asap
from tests.conformance import rfc
from tests.core.registrar.stage import SERVER, RegistrarStage
from tests.core.stage import element

POOL = b"www"


class SupervisionTests(SynchronousTestCase):
    """3.4, 3.5: keep-alives, reports, lifetimes."""

    def setUp(self):
        self.stage = RegistrarStage()
        self.stage.up("a")
        self.stage.up("u", host="10.0.0.9")
        self.stage.register("a", POOL, element(1))

    def acknowledge(self):
        return self.stage.tell("a", asap.EndpointKeepAliveAck(POOL, 1))

    def removed(self):
        return self.stage.notified(self.stage.effects, ElementRemoved)

    @rfc("5352", "4", "[ENRP server] Furthermore")
    def test_keep_alives_go_out_and_a_living_element_stays(self):
        for _ in range(20):
            effects = self.stage.pass_time(0.55)
            for message in self.stage.sent("a", effects):
                self.assertEqual(message, asap.EndpointKeepAlive(SERVER, POOL, False, 1))
                self.acknowledge()
        self.assertEqual(self.removed(), [])

    def test_nothing_is_due_for_who_has_answered(self):
        """A registrar is not woken to look at it before it asks it again."""
        while not self.stage.sent("a", self.stage.pass_time(0.01)):
            pass
        self.assertLess(self.stage.registrar.next_deadline() - self.stage.now, 0.2)
        self.acknowledge()
        least = DEFAULT.keep_alive_interval * (1 - DEFAULT.keep_alive_spread)
        self.assertGreaterEqual(self.stage.registrar.next_deadline() - self.stage.now, least)

    @rfc("5352", "3.5", "MUST consider the PE as unreachable", "and MUST remove the PE from its handlespace")
    def test_a_silent_element_is_gone_within_a_second(self):
        """After its last answer; and after its registration."""
        self.stage.pass_time(0.98)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])
        self.stage.register("a", POOL, element(1))
        for _ in range(20):
            self.stage.pass_time(0.52)
            self.acknowledge()
        self.assertEqual(1, len(self.removed()))
        self.stage.pass_time(0.98)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")] * 2)

    @rfc(
        "5352",
        "3.5",
        "MUST immediately send a point-to-point ASAP_ENDPOINT_KEEP_ALIVE",
        "SHOULD be set to '0', in this",
    )
    @rfc("5352", "4", "[ENRP server] Furthermore")
    def test_a_report_probes_at_once(self):
        effects = self.stage.registrar.receive("u", asap.EndpointUnreachable(POOL, 1), self.stage.now)
        self.assertEqual(self.stage.sent("a", effects), [asap.EndpointKeepAlive(SERVER, POOL, False, 1)])

    @rfc("5352", "3.5", "MUST retain the PE in its handlespace")
    def test_one_reporter_cannot_remove_a_living_element(self):
        for _ in range(10):
            self.stage.tell("u", asap.EndpointUnreachable(POOL, 1))
            self.acknowledge()
        self.assertEqual(self.removed(), [])

    @rfc("5352", "3.5", "SHOULD keep a counter to record", "SHOULD remove the PE from its handlespace")
    def test_more_distinct_reporters_than_max_bad_pe_report_remove_it(self):
        for number in range(4):
            self.stage.up(f"u{number}", host=f"10.0.{number}.9", port=6000)
            self.assertEqual(self.removed(), [])
            self.stage.tell(f"u{number}", asap.EndpointUnreachable(POOL, 1))
            self.acknowledge()
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "reported unreachable")])

    @rfc("5352", "3.5", "MUST retain the PE in its handlespace")
    def test_one_host_cannot_remove_a_living_element(self):
        """Whatever addresses it takes: another association, another loopback address, another one of its /64."""
        for number in range(20):
            for host in ("10.0.0.9", f"127.0.0.{number + 1}", f"fd00::{number + 1:x}"):
                name = f"{host} {number}"
                self.stage.up(name, host=host, port=6000 + number)
                self.stage.tell(name, asap.EndpointUnreachable(POOL, 1))
                self.acknowledge()
        self.assertEqual(self.removed(), [])

    def test_registering_again_clears_the_reports(self):
        for number in range(8):
            if number % 3 == 0:
                self.stage.register("a", POOL, element(1))
            self.stage.up(f"u{number}", host=f"10.0.{number}.9", port=6000)
            self.stage.tell(f"u{number}", asap.EndpointUnreachable(POOL, 1))
            self.acknowledge()
        self.assertEqual(self.removed(), [])

    def report(self, name, identifier=1):
        """Whom that made the registrar ask."""
        report = asap.EndpointUnreachable(POOL, identifier)
        return self.stage.sent("a", self.stage.registrar.receive(name, report, self.stage.now))

    @rfc("5355", "2.13.3", "SHOULD be limited")
    def test_a_flood_of_reports_is_dropped(self):
        for identifier in range(2, 101):
            self.stage.register("a", POOL, element(identifier))
        sent = [message for identifier in range(1, 101) for message in self.report("u", identifier)]
        self.assertEqual(len(sent), 20)

    @rfc("5352", "3.5", "MUST immediately send a point-to-point")
    @rfc("5355", "2.14.3", "MUST limit the frequency")
    def test_one_question_answers_all_reports(self):
        """Of 2,500 at once, while it does not answer; and while it answers, ten questions a second at most."""
        for number in range(100):
            self.stage.up(f"u{number}", host="10.0.0.9", port=6000 + number)
        reporters = [f"u{number}" for number in range(100)] * 25
        self.assertEqual(sum(len(self.report(name)) for name in reporters), 1)
        self.acknowledge()
        asked = 0
        for step in range(1000):
            asked += len(self.report(reporters[step]))
            for message in self.stage.sent("a", self.stage.pass_time(0.001)):
                self.assertIsInstance(message, asap.EndpointKeepAlive)
                asked += 1
            self.acknowledge()
        self.assertIn(asked, range(5, 11))
        self.assertEqual(self.removed(), [])

    def test_a_report_just_after_an_answer_is_not_forgotten(self):
        stage = self.stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        stage.up("u", host="10.0.0.9")
        stage.register("a", POOL, element(1))
        self.assertEqual(len(self.report("u")), 1)
        self.acknowledge()
        self.assertEqual(self.report("u"), [])
        question = asap.EndpointKeepAlive(SERVER, POOL, False, 1)
        self.assertEqual(stage.sent("a", stage.pass_time(0.11)), [question])
        stage.pass_time(DEFAULT.keep_alive_timeout)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])

    @rfc("5352", "3.5", "MUST consider the PE as unreachable", "and MUST remove the PE from its handlespace")
    def test_a_lost_association_is_probed_and_a_refusal_ends_it(self):
        [peer] = self.stage.dialled(self.stage.lost("a"))
        self.stage.refused(peer)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])

    def test_a_lost_association_of_a_living_element_is_replaced(self):
        self.stage.lost("a")
        self.stage.up("probe", outbound=True)
        [message] = self.stage.sent("probe", self.stage.effects)
        self.assertEqual(message, asap.EndpointKeepAlive(SERVER, POOL, False, 1))
        self.stage.tell("probe", asap.EndpointKeepAliveAck(POOL, 1))
        self.stage.pass_time(0.9)
        self.assertEqual(self.removed(), [])
        self.assertTrue(self.stage.sent("probe", self.stage.effects))

    def test_who_accepts_and_hangs_up_is_not_dialled_without_end(self):
        """Whether it acknowledges before it hangs up or not; if not, it is gone in time."""
        for acknowledges in (True, False):
            stage = RegistrarStage()
            stage.up("a")
            stage.register("a", POOL, element(1))
            stage.lost("a")
            dialled, end = 0, stage.now + 2
            while stage.now < end:
                calls, stage.effects = stage.dialled(stage.effects), []
                for _ in calls:
                    dialled += 1
                    stage.up("a", outbound=True)
                    if acknowledges:
                        stage.tell("a", asap.EndpointKeepAliveAck(POOL, 1))
                    stage.lost("a")
                stage.pass_time(0.001)
            self.assertTrue(1 < dialled < 30, dialled)
            self.assertEqual(POOL in stage.registrar.handlespace.pools, acknowledges)

    def test_who_is_dialled_again_and_says_nothing_is_gone_in_time(self):
        stage = RegistrarStage()
        stage.up("a")
        stage.register("a", POOL, element(1))
        stage.lost("a")
        stage.up("b", outbound=True)
        stage.lost("b")
        stage.pass_time(0.2)
        stage.up("c", outbound=True)
        stage.pass_time(5)
        self.assertNotIn(POOL, stage.registrar.handlespace.pools)

    def test_elements_behind_one_address_share_one_probe(self):
        self.stage.register("a", POOL, element(2))
        self.assertEqual(len(self.stage.dialled(self.stage.lost("a"))), 1)
        self.stage.up("probe", outbound=True)
        self.assertEqual(len(self.stage.sent("probe", self.stage.effects)), 2)

    def test_a_probe_that_is_not_needed_any_more_is_closed(self):
        self.stage.lost("a")
        self.stage.pass_time(1.2)
        self.assertEqual(len(self.removed()), 1)
        effects = self.stage.registrar.association_up(
            "late", TransportAddress(("10.0.0.1",), 5000, 40000), self.stage.now, True
        )
        self.assertEqual(effects, [Close("late")])

    def test_an_unanswered_probe_association_is_aborted(self):
        self.stage.lost("a")
        self.stage.up("probe", outbound=True)
        effects = self.stage.pass_time(1.2)
        self.assertIn(Abort("probe"), effects)

    @rfc("5352", "3.2", "[When its registration life ends]")
    def test_a_life_that_ends_is_told(self):
        stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        stage.register("a", POOL, element(1, life=5))
        effects = stage.pass_time(4.9)
        self.assertEqual(effects, [])
        effects = stage.pass_time(0.2)
        self.assertEqual(stage.sent("a", effects), [asap.DeregistrationResponse(POOL, 1)])
        self.assertEqual(stage.notified(effects, ElementRemoved), [ElementRemoved(POOL, 1, "expired")])

    def test_a_life_of_minus_one_never_ends(self):
        stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        stage.register("a", POOL, element(1, life=-1))
        self.assertEqual(stage.pass_time(1e9), [])

    def test_registering_again_begins_a_new_life(self):
        stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        for _ in range(5):
            stage.register("a", POOL, element(1, life=5))
            stage.pass_time(4)
        self.assertEqual(stage.notified(stage.effects, ElementRemoved), [])

    def test_after_a_stall_nobody_expires_before_they_could_answer(self):
        self.stage.pass_time(0.52)  # a keep-alive is under way
        self.stage.stall(30)
        self.assertEqual(self.removed(), [])
        self.acknowledge()
        self.stage.pass_time(0.9)
        self.assertEqual(self.removed(), [])

    def test_after_a_stall_the_silent_are_still_found(self):
        self.stage.pass_time(0.52)
        self.stage.stall(30)
        self.stage.pass_time(0.5)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])

    def test_supervision_stretches_past_a_quarter_of_a_core_and_says_so(self):
        for identifier in range(2, 2002):
            self.stage.register("a", POOL, element(identifier))
        effects = self.stage.pass_time(0.5)
        [event] = self.stage.notified(effects, SupervisionStretched)
        self.assertGreater(event.interval, 0.5)
        self.assertEqual(event.elements, 2001)

    def test_how_far_it_is_stretched_is_said_when_it_changes(self):
        """By more than a tenth."""
        self.stage = RegistrarStage(profile=replace(DEFAULT, keep_alive_answer=1000.0))
        self.stage.up("a")
        first = int(1.05 * DEFAULT.keep_alive_interval * AIM * SHARE / COST)
        told = []
        for number in (first, int(1.2 * first), int(1.25 * first), int(2.5 * first)):
            for identifier in range(1 + self.stage.registrar.supervision.watched, 1 + number):
                self.stage.registrar.receive("a", asap.Registration(POOL, element(identifier, life=-1)), self.stage.now)
            effects = self.stage.pass_time(0.5)
            told.append(len(self.stage.notified(effects, SupervisionStretched)))
        self.assertEqual(told, [0, 1, 0, 1])
