"""Registration and deregistration at a registrar, and who may (RFC 5352 sections 3.1 and 3.2)."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    CauseCode,
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    TransportAddress,
    UdpTransport,
)
from rserpool.core.registrar.events import AddressesRefused, ElementRegistered
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import DATA_ONLY, ErrorCause, OpaqueTransport
from rserpool.core.wire.transports import encode_address, encode_transport
from tests.conformance import rfc
from tests.core.registrar.stage import SERVER, RegistrarStage
from tests.core.stage import element

POOL = b"www"


def causes(message):
    return [cause.code for cause in message.causes]


class RegistrationTests(SynchronousTestCase):
    """3.1: granting and refusing registrations."""

    def setUp(self):
        self.stage = RegistrarStage()
        self.stage.up("a")

    @rfc("5352", "2.2.3", "this parameter is not included")
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
        wanted = element(1, host="10.9.9.9")
        [answer] = self.stage.register("a", POOL, wanted)
        self.assertTrue(answer.rejected)
        # Behind the transport: the address that we see; and the operator reads both.
        seen = encode_transport(wanted.user_transport) + encode_address("10.0.0.1")
        self.assertEqual(answer.causes, (ErrorCause(CauseCode.INVALID_VALUES, seen),))
        told = self.stage.notified(self.stage.effects, AddressesRefused)
        self.assertEqual(told, [AddressesRefused(POOL, 1, ("10.9.9.9",), ("10.0.0.1",))])
        self.assertEqual(len(self.stage.registrar.handlespace), 0)

    def test_addresses_that_the_association_does_not_have_are_left_out(self):
        """An element with an IPv6 address names it, too, and SCTP with a registrar that has none does not use it."""
        addresses = ("10.0.0.1", "fd00::1")
        transport = SctpTransport(80, DATA_ONLY, addresses)
        [answer] = self.stage.register("a", POOL, PoolElementParameter(1, 0, 60, transport, PolicyParameter(1)))
        self.assertFalse(answer.rejected)
        found = self.stage.registrar.handlespace.find(POOL, 1).parameter()
        self.assertEqual(found.user_transport, SctpTransport(80, DATA_ONLY, addresses[:1]))
        # 2.2.3: that is told by a warning, with what was asked for.
        self.assertEqual(answer.causes, (ErrorCause(CauseCode.INVALID_VALUES, encode_transport(transport)),))
        whole = PoolElementParameter(1, 0, 60, SctpTransport(80, DATA_ONLY, addresses[:1]), PolicyParameter(1))
        self.assertEqual(self.stage.register("a", POOL, whole), [asap.RegistrationResponse(POOL, 1)])

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
            replace(element(1), user_transport=SctpTransport(80, 7, ("10.0.0.1",))),
            replace(element(1), user_transport=SctpTransport(80, 2, ("10.0.0.1",))),
            PoolElementParameter(1, 0, 60, element(1).user_transport, PolicyParameter(0x77)),
            PoolElementParameter(1, 0, 60, element(1).user_transport, PolicyParameter(2, b"")),
            PoolElementParameter(1, 0, 60, element(1).user_transport, PolicyParameter(2, b"1")),
            PoolElementParameter(0, 0, 60, element(1).user_transport, PolicyParameter(2, b"12345")),
        ):
            [answer] = self.stage.register("a", POOL, parameter)
            self.assertEqual(causes(answer), [CauseCode.INVALID_VALUES], parameter)
            # 5354 3.12.4: the offending TLV, and nothing beside it.
            tlv = answer.causes[0].information
            self.assertEqual(len(tlv), int.from_bytes(tlv[2:4], "big"))
        [answer] = self.stage.register("a", b"", element(1))
        self.assertEqual(causes(answer), [CauseCode.INVALID_VALUES])
        self.assertEqual(answer.causes[0].information, bytes.fromhex("00090004"))

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
        self.stage = RegistrarStage()
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
        self.stage = RegistrarStage()
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
