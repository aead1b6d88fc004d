"""The handlespace: registration, its rules, homes, and what goes when (RFC 5352 sections 3.1 and 3.2)."""

from __future__ import annotations

import gc
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
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
from rserpool.core.handlespace.changes import Added, Moved, Removed, Renewed, Why
from rserpool.core.handlespace.checksum import fold, handle_sum, identifier_sum
from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import LARGEST, Handlespace
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
            element = self.space.register(b"other", foreign, any_policy=True).element
            self.assertEqual(element.parameter(), foreign)
        pool = self.space.pools[b"other"]
        self.assertEqual([identifiers(pool.select(2)) for _ in range(2)], [[1, 2], [2, 1]])
        self.assertEqual(pool.policy_wire, bytes.fromhex("0008 0008 b0003001"))
        error = self.assertRaises(Rejected, self.space.register, b"other", parameter(3), any_policy=True)
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
            self.assertEqual(error.cause, CauseCode.LACK_OF_RESOURCES)
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


class SelectionTests(SynchronousTestCase):
    def test_peek_moves_nothing(self) -> None:
        pool = handlespace(*((b"pool", identifier, HOME) for identifier in range(5))).pools[b"pool"]
        self.assertEqual([identifiers(pool.peek(2)) for _ in range(2)], [[0, 1], [0, 1]])
        self.assertEqual([identifiers(pool.select(2)) for _ in range(2)], [[0, 1], [1, 2]])

    def test_all(self) -> None:
        pool = handlespace(*((b"pool", identifier, HOME) for identifier in range(5))).pools[b"pool"]
        self.assertEqual(identifiers(pool.peek()), [0, 1, 2, 3, 4])
        self.assertEqual(identifiers(pool.select()), [0, 1, 2, 3, 4])
        self.assertEqual(identifiers(pool.select(1)), [1])


class HomeTests(SynchronousTestCase):
    def test_owned_by_in_the_order_of_getting_them(self) -> None:
        space = handlespace((b"b", 2, HOME), (b"a", 1, HOME), (b"a", 3, PEER))
        self.assertEqual(identifiers(list(space.owned_by(HOME))), [2, 1])
        self.assertEqual(identifiers(list(space.owned_by(PEER))), [3])
        self.assertEqual(len(space.owned_by(0x33333333)), 0)

    def test_adopt(self) -> None:
        space = handlespace((b"pool", 1, PEER), (b"pool", 2, PEER))
        element = space.find(b"pool", 1)
        assert element is not None
        self.assertEqual(space.adopt(element, HOME), Moved(element, HOME, PEER))
        self.assertEqual(element.home, HOME)
        self.assertEqual(element.parameter(), parameter(1, home=HOME))
        self.assertEqual(identifiers(list(space.owned_by(HOME))), [1])
        self.assertEqual(identifiers(list(space.owned_by(PEER))), [2])
        self.assertEqual(space.checksum_of(HOME), handlespace((b"pool", 1, HOME)).checksum_of(HOME))
        self.assertEqual(space.checksum_of(PEER), handlespace((b"pool", 2, PEER)).checksum_of(PEER))
        space.adopt(element, HOME)
        self.assertEqual(len(space.owned_by(HOME)), 1)

    def test_adopting_them_all(self) -> None:
        space = handlespace(*((b"pool", identifier, PEER) for identifier in range(50)))
        checksum = space.checksum_of(PEER)
        for element in list(space.owned_by(PEER)):
            space.adopt(element, HOME)
        self.assertEqual((space.checksum_of(HOME), space.checksum_of(PEER)), (checksum, 0xFFFF))


class ChecksumTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        self.assertEqual(Handlespace(Random(1)).checksum_of(HOME), 0xFFFF)

    @rfc("5353", "3.6.2", "MUST use the following algorithm", "MUST use the Internet algorithm described")
    def test_by_hand(self) -> None:
        """4563 + 686f + 506f + 6f6c + fa82 + 46b4 = 2aee3; aee3 + 2 = aee5; ffff - aee5 = 511a."""
        total = 0x4563 + 0x686F + 0x506F + 0x6F6C + 0xFA82 + 0x46B4
        self.assertEqual(total, 0x2AEE3)
        self.assertEqual(handle_sum(b"EchoPool") + identifier_sum(0xFA8246B4), total)
        self.assertEqual(fold(total), 0x511A)

    @rfc("5353", "3.6.2", "MUST use the following algorithm")
    def test_as_the_reference_implementation_tells_it(self) -> None:
        """ENRP_PRESENCE of rsplib 3.4.4, after the ENRP_HANDLE_UPDATEs of the same registrar (captures)."""
        echo, dpf = b"EchoPool", b"DPFPool"
        for elements, checksum in [
            ([(echo, 0xFA8246B4)], 0x511A),
            ([(b"PingPongPool", 0xABCD0021)], 0x168E),
            ([(echo, 0xABCD0002), (dpf, 0xABCD0011), (echo, 0xABCD0001), (echo, 0xABCD0003)], 0xA196),
            ([(dpf, 0xABCD0011), (echo, 0xABCD0001), (b"RawPool", 0x5052)], 0xDF1F),
            ([(echo, 0xABCD0001), (dpf, 0xABCD0011)], 0xD493),
        ]:
            space = handlespace(*((handle, identifier, HOME) for handle, identifier in elements))
            self.assertEqual(space.checksum_of(HOME), checksum)

    def test_a_sum_that_folds_to_zero_differs_from_empty(self) -> None:
        space = handlespace((b"\xff\xff", 0, HOME))
        self.assertEqual(space.checksum_of(HOME), 0)
        space.register(b"\xff\xff", parameter(0xFFFF0000))
        self.assertEqual(space.checksum_of(HOME), 0)
        # only a handle and identifier of zeros add nothing at all, as RFC 1071 has it
        self.assertEqual(handlespace((b"", 0, HOME)).checksum_of(HOME), 0xFFFF)

    @rfc("5353", "3.6.1", "SHOULD keep a separate PE checksum")
    @rfc(
        "5353",
        "3.6.2",
        "MUST use the following algorithm",
        "MUST use the Internet algorithm described",
        "MUST calculate its own PE checksum",
        "MUST immediately update all its internal",
    )
    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("register register deregister adopt".split()),
                st.sampled_from([b"", b"a", b"pool", b"a longer handle"]),
                st.integers(0, 5).map(lambda number: number * 0x33333333),
                st.sampled_from([HOME, PEER]),
            ),
            max_size=40,
        )
    )
    def test_kept_is_what_would_be_calculated(self, steps: list[tuple[str, bytes, int, int]]) -> None:
        space = Handlespace(Random(1))
        for verb, handle, identifier, home in steps:
            element = space.find(handle, identifier)
            if verb == "register":
                space.register(handle, parameter(identifier, home=home))
            elif element is not None and verb == "deregister":
                self.assertIs(space.deregister(element, Why.EXPIRED).element, element)
            elif element is not None:
                space.adopt(element, home)
        found = [element for pool in space.pools.values() for element in pool.elements.values()]
        self.assertEqual(len(space), len(found))
        for home in (HOME, PEER):
            owned = [element for element in found if element.home == home]
            self.assertEqual(set(space.owned_by(home)), set(owned))
            blocks = b"".join(
                element.handle.ljust((len(element.handle) + 3) // 4 * 4, b"\0") + element.identifier.to_bytes(4, "big")
                for element in owned
            )
            self.assertEqual(space.checksum_of(home), internet_checksum(blocks))


def internet_checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
