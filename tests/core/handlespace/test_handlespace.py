"""The handlespace: who is selected, whose elements they are, and the checksum over them (RFC 5353 section 3.6)."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.handlespace.changes import Moved, Why
from rserpool.core.handlespace.checksum import fold, handle_sum, identifier_sum
from rserpool.core.handlespace.handlespace import Handlespace
from tests.conformance import rfc
from tests.core.handlespace.elements import HOME, PEER, handlespace, identifiers, parameter


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
