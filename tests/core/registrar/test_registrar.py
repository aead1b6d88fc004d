"""The registrar towards elements and users (RFC 5352 section 3), as messages in and effects out."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    Abort,
    CauseCode,
    Close,
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    TransportAddress,
    UdpTransport,
)
from rserpool.core.registrar import Limits
from rserpool.core.registrar.events import ElementRegistered, ElementRemoved, SupervisionStretched
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import DATA_ONLY, OpaqueTransport
from tests.conformance import rfc
from tests.core.registrar.stage import SERVER, Stage, element

POOL = b"www"


def causes(message):
    return [cause.code for cause in message.causes]


class RegistrationTests(SynchronousTestCase):
    """3.1: granting and refusing registrations."""

    def setUp(self):
        self.stage = Stage()
        self.stage.up("a")

    @rfc(
        "5352",
        "3.1",
        "MUST create a new pool",
        "MUST assign itself the owner of this",
        "MUST assign itself to be the Home",
        "MUST reply to the requesting PE",
        "MUST set the R flag in the ASAP_REGISTRATION_RESPONSE",
    )
    @rfc("5352", "4", "An ENRP server MUST implement the handling")
    @rfc("5352", "3.3", "MUST first look up the pool", "MUST compose and send back an ASAP_HANDLE_RESOLUTION_RESPONSE")
    def test_first_element_creates_the_pool(self):
        [answer] = self.stage.register("a", POOL, element(1))
        self.assertEqual(answer, asap.RegistrationResponse(POOL, 1))
        [event] = self.stage.notified(self.stage.effects, ElementRegistered)
        self.assertEqual(event, ElementRegistered(POOL, 1))
        [found] = self.stage.resolve("a", POOL).elements
        self.assertEqual((found.identifier, found.home), (1, SERVER))

    @rfc("5352", "3.1", "MUST also record the SCTP transport")
    def test_registrar_records_where_the_registration_came_from(self):
        self.stage.register("a", POOL, element(1))
        [found] = self.stage.resolve("a", POOL).elements
        # rsplib takes no element whose ASAP transport has another Transport Use.
        self.assertEqual(found.asap_transport, SctpTransport(5000, DATA_ONLY, ("10.0.0.1",)))
        self.assertEqual(found.encapsulation, 40000)

    def test_addresses_of_the_association_change(self):
        """RFC 5061: registrations are checked against the addresses that it has now, and its place goes with it."""
        moved = element(1, host="10.0.9.1")
        [refused] = self.stage.register("a", POOL, moved)
        self.assertTrue(refused.rejected)
        self.assertEqual([], self.stage.registrar.addresses_changed("a", ("10.0.9.1", "10.0.0.1"), self.stage.now))
        [granted] = self.stage.register("a", POOL, moved)
        self.assertFalse(granted.rejected)
        [found] = self.stage.resolve("a", POOL).elements
        self.assertEqual(found.asap_transport.addresses, ("10.0.9.1", "10.0.0.1"))
        # The association is gone; from one of the new addresses the element is changed without a question.
        self.stage.up("again", host="10.0.9.1")
        [granted] = self.stage.register("again", POOL, element(1, host="10.0.9.1", port=81))
        self.assertFalse(granted.rejected)
        self.assertEqual([], self.stage.registrar.addresses_changed("nobody", ("10.0.9.9",), self.stage.now))

    def test_encapsulation_port_is_always_sent(self):
        """Also the well-known one: whose stack speaks plain SCTP as well has to know."""
        self.stage.up("b", host="10.0.0.2", encapsulation=9899)
        self.stage.up("c", host="10.0.0.3", encapsulation=0)
        self.stage.register("b", POOL, element(1, host="10.0.0.2"))
        self.stage.register("c", POOL, element(2, host="10.0.0.3"))
        found = self.stage.resolve("a", POOL).elements
        self.assertEqual({one.identifier: one.encapsulation for one in found}, {1: 9899, 2: 0})

    @rfc(
        "5352",
        "3.1",
        "SHOULD consider this as a re-registration",
        "SHOULD replace the attributes of the existing",
        "MUST reply to the requesting PE",
    )
    def test_reregistration_replaces_the_attributes(self):
        self.stage.register("a", POOL, element(1, "least-used:load=0.5"))
        [answer] = self.stage.register("a", POOL, element(1, "least-used:load=0.1", port=81))
        self.assertFalse(answer.rejected)
        [found] = self.stage.resolve("a", POOL).elements
        self.assertEqual(found.user_transport.port, 81)
        self.assertEqual(len(self.stage.notified(self.stage.effects, ElementRegistered)), 1)

    @rfc(
        "5352",
        "3.1",
        "MUST check if the policy type",
        "MUST reject the registration",
        "MUST reply to the requesting PE",
        "MUST indicate the rejection by setting",
        "SHOULD include the proper error cause(s)",
    )
    def test_policy_must_agree(self):
        self.stage.register("a", POOL, element(1))
        [answer] = self.stage.register("a", POOL, element(2, "random"))
        self.assertTrue(answer.rejected)
        self.assertEqual(causes(answer), [CauseCode.INCONSISTENT_POOLING_POLICY])

    @rfc(
        "5352",
        "3.1",
        "MUST check if the policy type",
        "MUST reject the registration",
        "SHOULD include the proper error cause(s)",
    )
    def test_transport_type_must_agree(self):
        self.stage.register("a", POOL, element(1))
        other = PoolElementParameter(2, 0, 60, UdpTransport(80, "10.0.0.1"), PolicyParameter(1))
        [answer] = self.stage.register("a", POOL, other)
        self.assertEqual(causes(answer), [CauseCode.INCONSISTENT_TRANSPORT_TYPE])

    @rfc(
        "5352",
        "3.1",
        "MUST check if the policy type",
        "MUST reject the registration",
        "SHOULD include the proper error cause(s)",
    )
    def test_transport_use_must_agree(self):
        for identifier, use in ((1, 1), (2, DATA_ONLY)):
            parameter = PoolElementParameter(
                identifier, 0, 60, SctpTransport(80, use, ("10.0.0.1",)), PolicyParameter(1)
            )
            [answer] = self.stage.register("a", POOL, parameter)
        self.assertEqual(causes(answer), [CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION])

    @rfc("5352", "2.2.1", "MUST be a subset of the IP")
    @rfc("5352", "6.1", "MUST be a bound IP address")
    def test_addresses_belong_to_the_association(self):
        [answer] = self.stage.register("a", POOL, element(1, host="10.9.9.9"))
        self.assertTrue(answer.rejected)
        self.assertEqual(causes(answer), [CauseCode.INVALID_VALUES])
        self.assertEqual(len(self.stage.registrar.handlespace), 0)

    def test_addresses_that_the_association_does_not_have_are_left_out(self):
        """An element with an IPv6 address names it, too, and SCTP with a registrar that has none does not use it."""
        addresses = ("10.0.0.1", "fd00::1")
        transport = SctpTransport(80, DATA_ONLY, addresses)
        [answer] = self.stage.register("a", POOL, PoolElementParameter(1, 0, 60, transport, PolicyParameter(1)))
        self.assertFalse(answer.rejected)
        found = self.stage.registrar.handlespace.find(POOL, 1).parameter()
        self.assertEqual(found.user_transport, SctpTransport(80, DATA_ONLY, addresses[:1]))

    def test_opaque_transports_have_no_addresses_to_check(self):
        [answer] = self.stage.register(
            "a", POOL, PoolElementParameter(1, 0, 60, OpaqueTransport(b"\x01" * 4), PolicyParameter(1))
        )
        self.assertFalse(answer.rejected)

    def test_values_that_cannot_be(self):
        for parameter in (
            element(0),
            element(1, life=0),
            element(1, life=-2),
            element(1, port=0),
            PoolElementParameter(1, 0, 60, element(1).user_transport, PolicyParameter(0x77)),
            PoolElementParameter(1, 0, 60, element(1).user_transport, PolicyParameter(2, b"")),
        ):
            [answer] = self.stage.register("a", POOL, parameter)
            self.assertEqual(causes(answer), [CauseCode.INVALID_VALUES], parameter)
        [answer] = self.stage.register("a", b"", element(1))
        self.assertEqual(causes(answer), [CauseCode.INVALID_VALUES])

    @rfc("5352", "0", "MUST use the SCTP transport protocol")
    @rfc("5352", "2.1", "MUST use SCTP as transport")
    @rfc("5352", "3.2", "MUST indicate the rejection by including")
    def test_elements_speak_sctp_only(self):
        self.stage.up("t", protocol="tcp")
        [answer] = self.stage.register("t", POOL, element(1))
        self.assertEqual(causes(answer), [CauseCode.REJECTED_FOR_SECURITY])
        self.stage.register("a", POOL, element(1))
        [answer] = self.stage.tell("t", asap.Deregistration(POOL, 1))
        self.assertEqual(causes(answer), [CauseCode.REJECTED_FOR_SECURITY])
        self.assertEqual(len(self.stage.registrar.handlespace), 1)


class OwnershipTests(SynchronousTestCase):
    """Who may change or remove a registered element."""

    def setUp(self):
        self.stage = Stage()
        self.stage.up("a")
        self.stage.register("a", POOL, element(1))

    @rfc("5352", "3.2", "MUST indicate the rejection by including")
    def test_a_stranger_is_refused_while_the_association_lives(self):
        self.stage.up("evil", host="10.0.0.66")
        [answer] = self.stage.register("evil", POOL, element(1, host="10.0.0.66"))
        self.assertTrue(answer.rejected)
        self.assertEqual(causes(answer), [CauseCode.NON_UNIQUE_PE_IDENTIFIER])
        [answer] = self.stage.tell("evil", asap.Deregistration(POOL, 1))
        self.assertEqual(causes(answer), [CauseCode.REJECTED_FOR_SECURITY])
        [found] = self.stage.resolve("a", POOL).elements
        self.assertEqual(found.user_transport.address, "10.0.0.1")

    def test_another_process_of_the_same_host_is_a_stranger(self):
        self.stage.up("b", encapsulation=40001)
        [answer] = self.stage.register("b", POOL, element(1))
        self.assertEqual(causes(answer), [CauseCode.NON_UNIQUE_PE_IDENTIFIER])

    def test_the_recorded_transport_may(self):
        self.stage.up("again")
        [answer] = self.stage.register("again", POOL, element(1, port=81))
        self.assertFalse(answer.rejected)
        self.stage.lost("a")  # the old association does not count any more
        self.assertFalse(self.stage.registrar.supervision.probing(self.element()))

    def test_a_claim_waits_for_the_probe_and_is_granted_when_it_fails(self):
        effects = self.stage.lost("a")
        [peer] = self.stage.dialled(effects)
        self.assertEqual(peer, TransportAddress(("10.0.0.1",), 5000, 40000))
        self.stage.up("heir", host="10.0.0.2")
        self.assertEqual(self.stage.register("heir", POOL, element(1, host="10.0.0.2")), [])
        effects = self.stage.refused(peer)
        self.assertEqual(self.stage.sent("heir", effects), [asap.RegistrationResponse(POOL, 1)])
        [found] = self.stage.resolve("heir", POOL).elements
        self.assertEqual(found.user_transport.address, "10.0.0.2")

    def test_a_claim_is_refused_when_the_probe_is_answered(self):
        [peer] = self.stage.dialled(self.stage.lost("a"))
        self.stage.up("heir", host="10.0.0.2")
        self.stage.register("heir", POOL, element(1, host="10.0.0.2"))
        self.stage.up("probe", outbound=True)
        effects = self.stage.registrar.receive("probe", asap.EndpointKeepAliveAck(POOL, 1), self.stage.now)
        [answer] = self.stage.sent("heir", effects)
        self.assertEqual(causes(answer), [CauseCode.NON_UNIQUE_PE_IDENTIFIER])
        self.assertIsNotNone(self.element())

    def element(self):
        return self.stage.registrar.handlespace.find(POOL, 1)


class DeregistrationTests(SynchronousTestCase):
    """3.2."""

    def setUp(self):
        self.stage = Stage()
        self.stage.up("a")

    @rfc(
        "5352",
        "3.2",
        "SHALL remove the PE from its handlespace",
        "MUST send an ASAP_DEREGISTRATION_RESPONSE message to the PE",
    )
    @rfc("5352", "3.3", "MUST reject the handle resolution request")
    @rfc("5352", "4", "An ENRP server MUST implement the handling")
    def test_the_last_element_takes_the_pool_with_it(self):
        self.stage.register("a", POOL, element(1))
        self.assertEqual(self.stage.tell("a", asap.Deregistration(POOL, 1)), [asap.DeregistrationResponse(POOL, 1)])
        self.assertEqual(causes(self.stage.resolve("a", POOL)), [CauseCode.UNKNOWN_POOL_HANDLE])
        self.assertIsNone(self.stage.registrar.next_deadline())

    @rfc("5352", "3.2", "SHOULD consider the de-registration granted and completed")
    def test_an_unknown_element_counts_as_deregistered(self):
        self.assertEqual(self.stage.tell("a", asap.Deregistration(POOL, 7)), [asap.DeregistrationResponse(POOL, 7)])


class SupervisionTests(SynchronousTestCase):
    """3.4, 3.5: keep-alives, reports, lifetimes."""

    def setUp(self):
        self.stage = Stage()
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
            effects = self.stage.pass_time(0.75)
            for message in self.stage.sent("a", effects):
                self.assertEqual(message, asap.EndpointKeepAlive(SERVER, POOL, False, 1))
                self.acknowledge()
        self.assertEqual(self.removed(), [])

    @rfc("5352", "3.5", "MUST consider the PE as unreachable", "and MUST remove the PE from its handlespace")
    def test_a_silent_element_is_gone_within_two_seconds(self):
        self.stage.pass_time(2.0)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])

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
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])

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

    def test_a_flood_of_reports_is_dropped(self):
        sent = [
            message
            for _ in range(100)
            for message in self.stage.sent(
                "a", self.stage.registrar.receive("u", asap.EndpointUnreachable(POOL, 1), self.stage.now)
            )
            if self.acknowledge() == []
        ]
        self.assertEqual(len(sent), 20)

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

    def test_a_life_that_ends_is_told(self):
        stage = Stage(keep_alives=False)
        stage.up("a")
        stage.register("a", POOL, element(1, life=5))
        effects = stage.pass_time(4.9)
        self.assertEqual(effects, [])
        effects = stage.pass_time(0.2)
        self.assertEqual(stage.sent("a", effects), [asap.DeregistrationResponse(POOL, 1)])
        self.assertEqual(stage.notified(effects, ElementRemoved), [ElementRemoved(POOL, 1, "expired")])

    def test_a_life_of_minus_one_never_ends(self):
        stage = Stage(keep_alives=False)
        stage.up("a")
        stage.register("a", POOL, element(1, life=-1))
        self.assertEqual(stage.pass_time(1e9), [])

    def test_registering_again_begins_a_new_life(self):
        stage = Stage(keep_alives=False)
        stage.up("a")
        for _ in range(5):
            stage.register("a", POOL, element(1, life=5))
            stage.pass_time(4)
        self.assertEqual(stage.notified(stage.effects, ElementRemoved), [])

    def test_after_a_stall_nobody_expires_before_they_could_answer(self):
        self.stage.pass_time(0.76)  # a keep-alive is under way
        self.stage.stall(30)
        self.assertEqual(self.removed(), [])
        self.acknowledge()
        self.stage.pass_time(1.0)
        self.assertEqual(self.removed(), [])

    def test_after_a_stall_the_silent_are_still_found(self):
        self.stage.pass_time(0.76)
        self.stage.stall(30)
        self.stage.pass_time(1.2)
        self.assertEqual(self.removed(), [ElementRemoved(POOL, 1, "unreachable")])

    def test_supervision_stretches_past_a_quarter_of_a_core_and_says_so(self):
        for identifier in range(2, 2002):
            self.stage.register("a", POOL, element(identifier))
        effects = self.stage.pass_time(0.5)
        [event] = self.stage.notified(effects, SupervisionStretched)
        self.assertGreater(event.interval, 0.5)
        self.assertEqual(event.elements, 2001)


class ResolutionTests(SynchronousTestCase):
    """3.3: answers, items, scopes."""

    def setUp(self):
        self.stage = Stage()
        self.stage.up("a")
        self.stage.up("u", host="10.0.0.9")

    def test_absent_items_gives_all_that_fit(self):
        for identifier in range(1, 2501):
            self.stage.register("a", POOL, element(identifier))
        answer = self.stage.resolve("u", POOL)
        self.assertLessEqual(len(asap.encode(answer)), 65535)
        self.assertGreater(len(answer.elements), 700)
        self.assertEqual(len(self.stage.resolve("u", POOL, items=3).elements), 3)

    def test_round_robin_moves_by_one(self):
        for identifier in (1, 2, 3):
            self.stage.register("a", POOL, element(identifier))
        firsts = [self.stage.resolve("u", POOL, items=2).elements[0].identifier for _ in range(6)]
        self.assertEqual(firsts, [1, 2, 3, 1, 2, 3])

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
        self.stage = Stage(keep_alives=False)
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


class LimitTests(SynchronousTestCase):
    """Each limit refuses clearly, and nothing else changes."""

    def stage(self, **limits):
        stage = Stage(limits=Limits(**limits))
        stage.up("a")
        return stage

    def refused(self, stage, handle, parameter):
        [answer] = stage.register("a", handle, parameter)
        self.assertTrue(answer.rejected)
        self.assertEqual(causes(answer), [CauseCode.LACK_OF_RESOURCES])

    def test_pools(self):
        stage = self.stage(pools=2)
        stage.register("a", b"1", element(1))
        stage.register("a", b"2", element(1))
        self.refused(stage, b"3", element(1))
        [answer] = stage.register("a", b"2", element(2))
        self.assertFalse(answer.rejected)

    def test_elements_of_a_pool(self):
        stage = self.stage(elements_per_pool=1)
        stage.register("a", POOL, element(1))
        self.refused(stage, POOL, element(2))
        [answer] = stage.register("a", POOL, element(1))
        self.assertFalse(answer.rejected)

    def test_elements_of_an_association(self):
        stage = self.stage(elements_per_association=1)
        stage.register("a", POOL, element(1))
        self.refused(stage, POOL, element(2))
        stage.tell("a", asap.Deregistration(POOL, 1))
        [answer] = stage.register("a", POOL, element(2))
        self.assertFalse(answer.rejected)

    def test_length_of_a_handle(self):
        stage = self.stage(handle_length=4)
        self.refused(stage, b"12345", element(1))

    def test_length_of_an_element(self):
        """One that registrars could not tell each other about is refused, whatever makes it long."""
        stage = self.stage()
        self.refused(stage, POOL, replace(element(1), policy=PolicyParameter(1, bytes(40_000))))
        self.refused(stage, POOL, replace(element(1), policy=PolicyParameter(1, bytes(65_300))))
        self.refused(stage, POOL, replace(element(1), user_transport=OpaqueTransport(bytes(65_400))))
        self.refused(stage, POOL, replace(element(1), user_transport=SctpTransport(1, 0, ("10.0.0.1",) * 8000)))

    def test_requests_a_second(self):
        stage = self.stage(requests_per_second=5)
        answers = [stage.resolve("a", POOL) for _ in range(6)]
        self.assertEqual(causes(answers[4]), [CauseCode.UNKNOWN_POOL_HANDLE])
        self.assertEqual(causes(answers[5]), [CauseCode.LACK_OF_RESOURCES])
        self.refused(stage, POOL, element(1))
        stage.now += 1
        self.assertEqual(causes(stage.resolve("a", POOL)), [CauseCode.UNKNOWN_POOL_HANDLE])

    def test_subscriptions_of_an_association(self):
        stage = self.stage(subscriptions_per_association=1)
        stage.register("a", b"1", element(1))
        stage.register("a", b"2", element(1))
        self.assertTrue(stage.resolve("a", b"1", subscribe=True).accepted)
        answer = stage.resolve("a", b"2", subscribe=True)
        self.assertFalse(answer.accepted)
        self.assertEqual(len(answer.elements), 1)


class AnnouncementTests(SynchronousTestCase):
    """3.6: server announcements."""

    def test_rate_follows_the_number_of_registrars(self):
        stage = Stage()
        start = stage.now
        stage.registrar.announce((), 0, stage.now)
        self.assertEqual(stage.registrar.next_deadline(), start + 1)
        for server in (7, 8):
            stage.registrar.announcement(asap.ServerAnnounce(server), "10.0.0.7", stage.now)
        stage.pass_time(1.0)
        self.assertEqual(stage.registrar.next_deadline(), start + 4)
        stage.pass_time(60)
        self.assertEqual(stage.registrar.next_deadline() - stage.now <= 1.0, True)
