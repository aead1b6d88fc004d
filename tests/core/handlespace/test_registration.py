"""Registration in a handlespace, its rules, and deregistration (RFC 5352 sections 3.1 and 3.2)."""

from __future__ import annotations

import gc
from dataclasses import replace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    CauseCode,
    PoolElementParameter,
    Rejected,
    SctpTransport,
    TcpTransport,
    TransportAddress,
    UdpTransport,
)
from rserpool.core.handlespace.changes import Added, Removed, Renewed, Why
from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import LARGEST, Handlespace
from rserpool.core.handlespace.limits import Limits
from rserpool.core.identity import Identity
from rserpool.core.policies import POLICIES, parse
from rserpool.core.wire import parameters
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, OpaqueTransport, decode_pool_element
from tests.conformance import rfc
from tests.core.handlespace.elements import ASAP, HOME, PEER, WEB, handlespace, identifiers, parameter

LU = parse("least-used").policy


class RegistrationTests(SynchronousTestCase):
    @rfc("5352", "3.1", "MUST be set to the policy", "MUST be set to the transport", "MUST be set to what is indicated")
    def test_the_first_element_makes_the_pool(self) -> None:
        """Rule 1: the overall policy, transport type and transport use are the first element's."""
        space = Handlespace(Random(1))
        transport = SctpTransport(80, DATA_PLUS_CONTROL, ("10.0.0.1",))
        added = space.register(b"pool", parameter(7, transport=transport, policy=LU, values=(5,)))
        element = added.element
        self.assertEqual(added, Added(element, HOME))
        pool = space.pools[b"pool"]
        self.assertEqual(pool.policy, LU)
        self.assertEqual(pool.transport_type, SctpTransport.TYPE)
        self.assertEqual(pool.transport_use, DATA_PLUS_CONTROL)
        self.assertEqual(pool.policy_wire, bytes.fromhex("0008 000c 40000001 00000000"))
        self.assertEqual(element.values, (5,))
        self.assertEqual((len(space), len(pool)), (1, 1))
        self.assertIs(space.find(b"pool", 7), element)
        self.assertIs(space.pool(b"pool"), pool)

    @rfc("5352", "3.3", "MUST also include a pool member")
    def test_round_robin_is_told_too(self) -> None:
        """3.3: it need not be, but rsplib's users take no answer without it."""
        pool = handlespace((b"pool", 1, HOME)).pools[b"pool"]
        self.assertEqual(pool.policy_wire, bytes.fromhex("0008 0008 00000001"))

    def test_the_element_is_ready_to_be_sent(self) -> None:
        sent = parameter(7, encapsulation=9899)
        element = Handlespace(Random(1)).register(b"pool", sent).element
        self.assertEqual(element.parameter(), sent)
        self.assertEqual(decode_pool_element(element.wire), sent)
        self.assertEqual(len(element.wire) % 4, 0)
        self.assertEqual(element.asap_address(), TransportAddress(ASAP.addresses, 7000, 9899))
        self.assertEqual((element.handle, element.identifier, element.home, element.life), (b"pool", 7, HOME, 60))
        self.assertIn("0x00000007", repr(element))

    def test_no_asap_transport(self) -> None:
        element = Handlespace(Random(1)).register(b"pool", parameter(asap=None)).element
        self.assertIsNone(element.asap_address())

    @rfc("5352", "3.1", "SHOULD replace the attributes of the existing")
    def test_registering_again_replaces_the_attributes(self) -> None:
        """Rule 3; the element stays the same object, with what its users have put there."""
        space = Handlespace(Random(1))
        element = space.register(b"pool", parameter(7, policy=LU, values=(5,))).element
        element.association = "association"
        again = parameter(7, policy=LU, values=(9,), life=5, transport=TcpTransport(81, "10.0.0.9"), home=PEER)
        renewed = space.register(b"pool", again)
        self.assertEqual(renewed, Renewed(element, PEER, HOME))
        self.assertIs(renewed.element, element)
        self.assertEqual(element.parameter(), again)
        self.assertEqual((element.values, element.life, element.home), ((9,), 5, PEER))
        self.assertEqual(element.association, "association")
        self.assertEqual(len(space), 1)
        self.assertEqual(list(space.owned_by(HOME)), [])
        self.assertEqual(list(space.owned_by(PEER)), [element])

    @rfc("5356", "5.2.2", "MUST be set to 0")
    def test_a_large_element_registers_again(self) -> None:
        """As it is, or larger, as long as there is room for all."""
        space = Handlespace(Random(1), Limits(bytes=6_000))
        for length in (2_000, 2_000, 3_000):
            policy = parameters.PolicyParameter(1, bytes(length))
            space.register(b"pool", replace(parameter(1), policy=policy))
        with self.assertRaises(Rejected):
            space.register(b"pool", replace(parameter(1), policy=parameters.PolicyParameter(1, bytes(6_000))))
        self.assertEqual(len(space.pools[b"pool"].elements[1].parameter().policy.data), 3_000)

    def test_another_owner(self) -> None:
        """It counts for the one that it has, and no longer for the one that it had, nor when it is gone."""
        space = Handlespace(Random(1), Limits(elements_per_identity=1))
        web, mail = Identity("psk", "web"), Identity("psk", "mail")
        space.register(b"pool", replace(parameter(1), owner=web))
        with self.assertRaises(Rejected):
            space.register(b"pool", replace(parameter(2), owner=web))
        changed = space.register(b"pool", replace(parameter(1), owner=mail)).element
        space.register(b"pool", replace(parameter(2), owner=web))
        with self.assertRaises(Rejected):
            space.register(b"pool", replace(parameter(3), owner=mail))
        space.deregister(changed, Why.DEREGISTERED)
        space.register(b"pool", replace(parameter(3), owner=mail))

    def test_registering_again_resets_degradation(self) -> None:
        space = Handlespace(Random(1))
        lud = parse("least-used-degradation").policy
        for identifier in (1, 2):
            space.register(b"pool", parameter(identifier, policy=lud, values=(0, 10)))
        pool = space.pools[b"pool"]
        for expected in (1, 2, 1):
            self.assertEqual(identifiers(pool.select(1)), [expected])
        space.register(b"pool", parameter(1, policy=lud, values=(0, 10)))
        self.assertEqual([identifiers(pool.select(1)) for _ in range(2)], [[1], [2]])

    def test_same_identifier_in_another_pool_is_another_element(self) -> None:
        space = handlespace((b"one", 7, HOME), (b"two", 7, HOME))
        self.assertEqual(len(space), 2)
        self.assertIsNot(space.find(b"one", 7), space.find(b"two", 7))

    def test_handles_are_bytes_of_any_kind(self) -> None:
        for handle in (b"", b"\0", b"\xff" * 30000, "Größe".encode()):
            space = handlespace((handle, 1, HOME))
            self.assertEqual(identifiers(space.pools[handle].select(5)), [1])


class RejectionTests(SynchronousTestCase):
    """Rules 2 and 3: policy type, transport type and transport use must be those of the pool."""

    def setUp(self) -> None:
        self.space = Handlespace(Random(1))
        transport = SctpTransport(80, DATA_ONLY, ("10.0.0.1",))
        self.space.register(b"pool", parameter(1, transport=transport, policy=LU, values=(1,)))

    def assert_rejected(self, wrong: PoolElementParameter, cause: CauseCode, information: bytes) -> None:
        before = [element.wire for element in self.space.pools[b"pool"].elements.values()]
        checksum = self.space.checksum_of(HOME)
        error = self.assertRaises(Rejected, self.space.register, b"pool", wrong)
        self.assertEqual((error.cause, error.information), (cause, information))
        self.assertEqual([element.wire for element in self.space.pools[b"pool"].elements.values()], before)
        self.assertEqual((len(self.space), self.space.checksum_of(HOME)), (1, checksum))

    @rfc("5352", "3.1", "MUST check if the policy type", "MUST perform the same tests on policy")
    def test_policy_type(self) -> None:
        for identifier in (1, 2):  # registering again, and another element
            wrong = parameter(identifier, transport=SctpTransport(80, DATA_ONLY, ("10.0.0.1",)))
            information = bytes.fromhex("0008 000c 40000001 00000000")
            self.assert_rejected(wrong, CauseCode.INCONSISTENT_POOLING_POLICY, information)

    @rfc("5352", "3.1", "MUST check if the policy type", "MUST perform the same tests on policy")
    def test_transport_type(self) -> None:
        for identifier in (1, 2):
            wrong = parameter(identifier, transport=WEB, policy=LU, values=(1,))
            information = parameters.encode_pool_element(self.space.pools[b"pool"].elements[1].parameter())[16:32]
            self.assert_rejected(wrong, CauseCode.INCONSISTENT_TRANSPORT_TYPE, information)
            self.assertEqual(information[:2], SctpTransport.TYPE.to_bytes(2, "big"))

    @rfc("5352", "3.1", "MUST check if the policy type", "MUST perform the same tests on policy")
    def test_transport_use(self) -> None:
        for identifier in (1, 2):
            transport = SctpTransport(80, DATA_PLUS_CONTROL, ("10.0.0.1",))
            wrong = parameter(identifier, transport=transport, policy=LU, values=(1,))
            self.assert_rejected(wrong, CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION, b"")

    def test_values_cut_short(self) -> None:
        short = parameters.PolicyParameter(LU.number, b"\0\0\0")
        wrong = PoolElementParameter(2, HOME, 60, SctpTransport(80, DATA_ONLY, ("10.0.0.1",)), short)
        self.assert_rejected(wrong, CauseCode.INVALID_VALUES, parameters.encode_policy(short))

    def test_a_policy_that_nobody_knows_makes_no_pool(self) -> None:
        for number in (0, 6, 0x40000000, 0x80000000, 0xB0003001):
            policy = parameters.PolicyParameter(number, b"data")
            wrong = PoolElementParameter(2, HOME, 60, WEB, policy)
            error = self.assertRaises(Rejected, self.space.register, b"other", wrong)
            self.assertEqual(error.cause, CauseCode.INVALID_VALUES)
            self.assertEqual(error.information, parameters.encode_policy(policy))
            self.assertNotIn(b"other", self.space.pools)

    def test_unless_another_registrar_owns_it(self) -> None:
        policy = parameters.PolicyParameter(0xB0003001, b"data of another implementation")
        for identifier in (1, 2):
            foreign = PoolElementParameter(identifier, PEER, 60, WEB, policy)
            element = self.space.register(b"other", foreign, others=True).element
            self.assertEqual(element.parameter(), foreign)
        pool = self.space.pools[b"other"]
        self.assertEqual([identifiers(pool.select(2)) for _ in range(2)], [[1, 2], [2, 1]])
        self.assertEqual(pool.policy_wire, bytes.fromhex("0008 0008 b0003001"))
        error = self.assertRaises(Rejected, self.space.register, b"other", parameter(3), others=True)
        self.assertEqual(error.cause, CauseCode.INCONSISTENT_POOLING_POLICY)

    def test_transports_without_a_port(self) -> None:
        space = Handlespace(Random(1))
        space.register(b"pool", parameter(1, transport=OpaqueTransport(b"anything")))
        error = self.assertRaises(Rejected, space.register, b"pool", parameter(2, transport=UdpTransport(1, "::1")))
        self.assertEqual(error.cause, CauseCode.INCONSISTENT_TRANSPORT_TYPE)

    def test_what_cannot_be_encoded_changes_nothing(self) -> None:
        self.assertRaises(ValueError, self.space.register, b"new", parameter(1 << 32))
        self.assertRaises(ValueError, self.space.register, b"new", parameter(life=1 << 31))
        self.assertNotIn(b"new", self.space.pools)
        self.assertEqual(len(self.space), 1)

    def test_elements_that_fit_no_message_of_registrars(self) -> None:
        """Every element fits an ENRP_HANDLE_UPDATE, and a table that is full but for it."""
        policy = parameters.PolicyParameter(1, bytes(LARGEST))
        for handle, element in (
            (b"new", replace(parameter(), policy=policy)),
            (b"new", parameter(transport=OpaqueTransport(bytes(LARGEST)))),
            (b"new", parameter(transport=SctpTransport(1, 0, ("10.0.0.1",) * 2000))),
            (b"new", parameter(asap=SctpTransport(1, 0, ("::1",) * 2000))),
            (bytes(LARGEST), parameter()),
        ):
            error = self.assertRaises(Rejected, self.space.register, handle, element)
            self.assertEqual(error.cause, CauseCode.INVALID_VALUES)
        registered = self.space.register(b"new", parameter(transport=OpaqueTransport(bytes(LARGEST - 200)))).element
        self.assertLess(len(registered.wire), LARGEST + 200)
        self.assertEqual(len(self.space), 2)


class DeregistrationTests(SynchronousTestCase):
    def test_the_pool_goes_with_its_last_element(self) -> None:
        space = handlespace((b"pool", 1, HOME), (b"pool", 2, HOME))
        for element in list(space.owned_by(HOME)):
            self.assertEqual(space.deregister(element, Why.EXPIRED), Removed(element, HOME, Why.EXPIRED))
            left = space.pools.get(b"pool")
            self.assertEqual(
                identifiers([] if left is None else left.select(5)), [2] if element.identifier == 1 else []
            )
        self.assertEqual((space.pools, len(space)), ({}, 0))
        self.assertEqual(list(space.owned_by(HOME)), [])

    def test_nothing_to_deregister(self) -> None:
        space = handlespace((b"pool", 1, HOME))
        self.assertRaises(KeyError, space.deregister, Element(b"pool", 2), Why.DEREGISTERED)
        self.assertRaises(KeyError, space.deregister, Element(b"other", 1), Why.DEREGISTERED)
        self.assertIsNone(space.find(b"other", 1))
        self.assertEqual(len(space), 1)

    def test_a_new_pool_may_differ(self) -> None:
        space = handlespace((b"pool", 1, HOME))
        space.deregister(space.pools[b"pool"].elements[1], Why.DEREGISTERED)
        space.register(b"pool", parameter(1, policy=LU, values=(1,), transport=UdpTransport(1, "::1")))
        self.assertEqual(space.pools[b"pool"].policy, LU)

    def test_elements_go_without_the_garbage_collector(self) -> None:
        """Whatever the policy, and with a deadline: what is frozen or grown old would never be collected."""
        gc.disable()
        self.addCleanup(gc.enable)
        for policy in POLICIES.values():
            space = Handlespace(Random(1))
            deadlines = ElementDeadlines()
            for identifier in range(1000):
                values = (1 + identifier % 3,) * len(policy.fields)
                change = space.register(b"pool", parameter(identifier, policy=policy, values=values))
                deadlines.set(change.element, float(identifier))
            space.pools[b"pool"].select(5)
            before = sum(1 for thing in gc.get_objects() if type(thing) is Element)
            self.assertGreaterEqual(before, 1000)
            del change
            for identifier in range(1000):
                deadlines.discard(space.deregister(space.pools[b"pool"].elements[identifier], Why.EXPIRED).element)
            self.assertEqual(sum(1 for thing in gc.get_objects() if type(thing) is Element), before - 1000)
