"""Private parameters: what they say, and that others and other versions of them disturb nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.identity import Identity
from rserpool.core.wire import asap, enrp, private
from rserpool.core.wire.orders import Drainer, Order, OrderAnswer, Result, encode_drainers
from rserpool.core.wire.parameters import decode_pool_element, encode_pool_element, with_owner, without_private
from rserpool.core.wire.private import (
    MOST_DEAD,
    Draining,
    encode_dead,
    encode_evicted,
    encode_framing,
    encode_owner,
    encode_will,
)

ELEMENT = PoolElementParameter(1, 2, 3, TcpTransport(80, "10.0.0.1"), PolicyParameter(1), framing=1)
OWNERS = (Identity("psk", "web"), Identity("psk", "w\xe9b"), Identity("dns", "web.example"), Identity("ip", "::1"))


class FramingTests(SynchronousTestCase):
    """Session Framing (0x8f02) inside Pool Element."""

    def test_round_trip(self) -> None:
        self.assertEqual(decode_pool_element(encode_pool_element(ELEMENT)), ELEMENT)

    def test_layout(self) -> None:
        self.assertEqual(encode_framing(1).hex(), "8f02000801000000")
        self.assertTrue(encode_pool_element(ELEMENT).endswith(encode_framing(1)))

    def test_an_unknown_version_is_no_framing(self) -> None:
        """Never guessed: who speaks only a version that we do not know is taken as data only."""
        wire = encode_pool_element(ELEMENT).replace(encode_framing(1), encode_framing(2))
        self.assertEqual(decode_pool_element(wire).framing, 0)

    def test_another_length_is_somebody_elses(self) -> None:
        head, tail = encode_pool_element(ELEMENT).split(encode_framing(1))
        wire = head + bytes.fromhex("8f02000401000000")[:4] + tail
        wire = wire[:2] + len(wire).to_bytes(2, "big") + wire[4:]
        self.assertEqual(decode_pool_element(wire).framing, 0)


class OwnerTests(SynchronousTestCase):
    """Owner (0x8f05) inside Pool Element."""

    def test_round_trip(self) -> None:
        for owner in OWNERS:
            owned = replace(ELEMENT, owner=owner)
            self.assertEqual(decode_pool_element(encode_pool_element(owned)), owned)
            self.assertEqual(with_owner(encode_pool_element(ELEMENT), owner), encode_pool_element(owned))
            self.assertEqual(
                decode_pool_element(without_private(encode_pool_element(owned))), replace(ELEMENT, framing=0)
            )
        self.assertEqual(with_owner(encode_pool_element(ELEMENT), None), encode_pool_element(ELEMENT))

    def test_layout(self) -> None:
        self.assertEqual(encode_owner(Identity("psk", "web1")).hex(), "8f05000c01010000" + b"web1".hex())

    def test_others_are_nothing(self) -> None:
        """Another version, another kind, a name that is none, or too long."""
        long = with_owner(encode_pool_element(ELEMENT), Identity("psk", "x" * 254))
        self.assertIsNone(decode_pool_element(long).owner)
        owner = encode_owner(Identity("ip", "10.0.0.1"))
        wire = with_owner(encode_pool_element(ELEMENT), Identity("ip", "10.0.0.1"))
        for other in (
            owner.replace(b"\x01\x03", b"\x02\x03"),
            owner.replace(b"\x01\x03", b"\x01\x00"),
            owner.replace(b"\x01\x03", b"\x01\x04"),
            owner.replace(b"10.0.0.1", b"10.0.0.x"),
            owner.replace(b"10.0.0.1", b"10.0.0.\xff"),
        ):
            self.assertIsNone(decode_pool_element(wire.replace(owner, other)).owner, other)


class DeadTests(SynchronousTestCase):
    """Dead Elements (0x8f04) in an ASAP_HANDLE_RESOLUTION_RESPONSE."""

    def test_round_trip(self) -> None:
        for elements in ((), (ELEMENT,)):
            answer = asap.HandleResolutionResponse(b"pool", PolicyParameter(1), elements, True, dead=(1, 0xFFFFFFFF))
            self.assertEqual(asap.decode(asap.encode(answer)).message, answer)

    def test_layout(self) -> None:
        self.assertEqual(encode_dead([7, 8]).hex(), "8f040010010000000000000700000008")
        self.assertEqual(len(encode_dead(range(1000))), 8 + 4 * MOST_DEAD)

    def test_others_are_nothing(self) -> None:
        """Another version, another length."""
        wire = asap.encode(asap.HandleResolutionResponse(b"pool", dead=(1,)))
        for head in ("8f04000c02", "8f04000901"):
            other = wire.replace(bytes.fromhex("8f04000c01"), bytes.fromhex(head))
            self.assertEqual(asap.decode(other).message, asap.HandleResolutionResponse(b"pool"))


class WillTests(SynchronousTestCase):
    """Last Will (0x8f03) in an ASAP_BUSINESS_CARD."""

    def test_round_trip(self) -> None:
        for exclusive in (False, True):
            for elements in ((), (ELEMENT,)):
                card = asap.BusinessCard(b"pool", elements, exclusive)
                self.assertEqual(asap.decode(asap.encode(card)).message, card)

    def test_layout(self) -> None:
        self.assertEqual(encode_will(True).hex(), "8f03000801010000")
        plain = asap.encode(asap.BusinessCard(b"pool", (ELEMENT,)))
        self.assertNotIn(bytes.fromhex("8f03"), plain)

    def test_an_unknown_version_is_a_wish(self) -> None:
        wire = asap.encode(asap.BusinessCard(b"pool", (), True)).replace(b"\x8f\x03\0\x08\x01", b"\x8f\x03\0\x08\x07")
        self.assertEqual(asap.decode(wire).message, asap.BusinessCard(b"pool", ()))


class DrainingTests(SynchronousTestCase):
    """Draining (0x8f06) in keep-alives and their acknowledgements, and the flags 0x80."""

    def test_round_trip(self) -> None:
        for said in (None, Draining(True), Draining(False, 0), Draining(True, 7)):
            question = asap.EndpointKeepAlive(5, b"pool", False, 9, said)
            answer = asap.EndpointKeepAliveAck(b"pool", 9, True, said)
            for message in (question, answer):
                decoded = asap.decode(asap.encode(message))
                self.assertEqual((message, ()), (decoded.message, decoded.unrecognized))
        for drains in (False, True):
            leaving = asap.Deregistration(b"pool", 9, drains)
            self.assertEqual(leaving, asap.decode(asap.encode(leaving)).message)

    def test_layout(self) -> None:
        self.assertEqual("8f06000c01010000ffffffff", Draining(True).encode().hex())
        self.assertEqual("8f06000c0100000000000003", Draining(False, 3).encode().hex())

    def test_other_versions_say_nothing(self) -> None:
        wire = asap.encode(asap.EndpointKeepAlive(5, b"pool", False, 9, Draining(True)))
        for before, after in ((b"\x8f\6\0\x0c\1\1", b"\x8f\6\0\x0c\2\1"), (b"\x8f\6\0\x0c\1\1", b"\x8f\6\0\x0c\1\7")):
            decoded = asap.decode(wire.replace(before, after))
            self.assertEqual(asap.EndpointKeepAlive(5, b"pool", False, 9), decoded.message)


class EvictedTests(SynchronousTestCase):
    """Evicted (0x8f07) behind the Pool Element of an ENRP_HANDLE_UPDATE."""

    def test_round_trip(self) -> None:
        for seconds in (0, 1, 600, 2**32 - 1):
            update = enrp.HandleUpdate(1, 2, enrp.UpdateAction.DEL_PE, b"pool", ELEMENT, False, seconds)
            decoded = enrp.decode(enrp.encode(update))
            self.assertEqual((update, ()), (decoded.message, decoded.unrecognized))

    def test_layout(self) -> None:
        self.assertEqual("8f07000c0100000000000258", encode_evicted(600).hex())
        wire = enrp.encode(enrp.HandleUpdate(1, 2, enrp.UpdateAction.DEL_PE, b"pool", ELEMENT, False, 600))
        other = wire.replace(b"\x8f\7\0\x0c\1", b"\x8f\7\0\x0c\2")
        decoded: Any = enrp.decode(other).message
        self.assertEqual(0, decoded.evicted)


class NumberTests(SynchronousTestCase):
    """No number means two things."""

    def test_numbers(self) -> None:
        numbers = [
            number
            for name, number in vars(private).items()
            if name.isupper() and isinstance(number, int) and number & 0xFF00 == 0x8F00
        ]
        self.assertEqual(8, len(numbers))
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_card(self) -> None:
        """An element's business card says what it speaks; others skip it."""
        card = asap.BusinessCard(b"pool", (), framing=1)
        wire = asap.encode(card)
        self.assertTrue(wire.endswith(private.encode_framing(1)))
        self.assertEqual(card, asap.decode(wire).message)
        other = wire[:-4] + b"\x02" + wire[-3:]
        self.assertEqual(asap.BusinessCard(b"pool", ()), asap.decode(other).message)


class OrderTests(SynchronousTestCase):
    """Order (0x8f08) and Order Answer (0x8f09) in ENRP_PRESENCE."""

    ORDER = Order(7, True, b"www", 0x1234ABCD, "ann")
    ANSWER = OrderAnswer(7, Result.REFUSED, None, "no")

    def told(self, wire: bytes) -> Any:
        message: Any = enrp.decode(wire).message
        return message.order

    def test_round_trip(self) -> None:
        for order in (self.ORDER, self.ANSWER, OrderAnswer(2**32 - 1, Result.DONE, 5), Order(1, False, b"\xff", 1)):
            presence = enrp.Presence(1, 2, 3, None, private=True, order=order)
            self.assertEqual(presence, enrp.decode(enrp.encode(presence)).message)

    def test_layout(self) -> None:
        self.assertEqual("8f08001601010003000000071234abcd" + b"wwwann\0\0".hex(), self.ORDER.encode().hex())
        self.assertEqual("8f090012010100000000000" + "7ffffffff" + b"no\0\0".hex(), self.ANSWER.encode().hex())

    def test_others_are_nothing(self) -> None:
        """Another version or state, a handle that is not there: a presence like any other."""
        broken: tuple[tuple[Any, str, str], ...] = (
            (self.ORDER, "8f08001601", "8f08001602"),
            (self.ORDER, "160101", "160102"),
            (self.ORDER, "010003", "0100ff"),
            (self.ORDER, "010003", "010000"),
            (self.ANSWER, "8f09001201", "8f09001202"),
            (self.ANSWER, "120101", "120109"),
        )
        for good, old, new in broken:
            wire = enrp.encode(enrp.Presence(1, 2, 3, order=good)).hex()
            self.assertIn(old, wire)
            self.assertIsNone(self.told(bytes.fromhex(wire.replace(old, new))), new)

    def test_texts_are_cut(self) -> None:
        long = enrp.Presence(1, 2, order=Order(1, True, b"www", 1, "\xe9" * 1000))
        self.assertEqual("\xe9" * 150, self.told(enrp.encode(long)).by)
        long = enrp.Presence(1, 2, order=OrderAnswer(1, Result.REFUSED, None, "a\x1b" + "x" * 5000))
        self.assertEqual("a\\x1b" + "x" * 998, self.told(enrp.encode(long)).why)

    def test_who_drains(self) -> None:
        """Draining Elements (0x8f0a): as many as have room; another version, or what is not whole, is nobody."""
        some = (Drainer(b"www", 1, 5), Drainer(b"mails", 2**32 - 1, None))
        presence = enrp.Presence(1, 2, 3, drainers=some)
        wire = enrp.encode(presence)
        self.assertEqual(presence, enrp.decode(wire).message)
        self.assertEqual(
            "8f0a002c0100000000000001000000050003000077777700ffffffffffffffff00050000",
            encode_drainers(some).hex()[:72],
        )
        for old, new in (("8f0a002c01", "8f0a002c02"), ("00050000", "00500000")):
            broken: Any = enrp.decode(bytes.fromhex(wire.hex().replace(old, new))).message
            self.assertEqual((), broken.drainers)
        many: Any = enrp.decode(enrp.encode(enrp.Presence(1, 2, 3, drainers=some * 1000))).message
        self.assertEqual(8_000 // 36 * 2, len(many.drainers))

    def test_who_leaves(self) -> None:
        """Leaving (0x8f0b): there or not; another version is not."""
        wire = enrp.encode(enrp.Presence(1, 2, 3, leaving=True)).hex()
        self.assertTrue(wire.endswith("8f0b000801000000"))
        for old, new, leaving in (("8f0b000801", "8f0b000801", True), ("8f0b000801", "8f0b000802", False)):
            message: Any = enrp.decode(bytes.fromhex(wire.replace(old, new))).message
            self.assertIs(leaving, message.leaving)
