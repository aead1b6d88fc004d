"""Properties of the codec: what is encoded comes back, and any bytes decode or raise WireError (RFC 5354)."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import cause_of, unrecognized_parameters
from rserpool.core.wire.parameters import decode_pool_element, encode_pool_element
from tests.core.wire.strategies import ASAP, DETERMINISTIC, ENRP, elements

INTERESTING = st.sampled_from([0, 1, 3, 4, 5, 7, 8, 9, 10, 12, 14, 16, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFE, 0xFF])


def decodes_or_raises(protocol: ModuleType, data: bytes) -> None:
    """The invariant; whatever decodes can be sent on, and whatever is to be answered can be answered."""
    try:
        decoded = protocol.decode(data)
    except WireError as error:
        assert isinstance(error.cause, CauseCode)
        if error.report:
            asap.encode(asap.Error((cause_of(error),)))
            enrp.encode(enrp.Error(1, 2, (cause_of(error),)))
        return
    assert protocol.decode(protocol.encode(decoded.message)).message == decoded.message
    if decoded.unrecognized:
        enrp.encode(enrp.Error(1, 2, unrecognized_parameters(decoded.unrecognized)))


@st.composite
def mutated(draw: st.DrawFn, protocol: ModuleType, messages: st.SearchStrategy[object]) -> bytes:
    """A valid message with some bytes changed, cut out, or put in."""
    data = bytearray(protocol.encode(draw(messages)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(["set", "set", "cut", "insert", "repeat", "length"]))
        if change == "set":
            data[place : place + 1] = bytes([draw(INTERESTING)])
        elif change == "cut":
            del data[place : place + draw(st.integers(1, 8))]
        elif change == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif change == "repeat":
            data[place:place] = data[place & ~3 : (place & ~3) + 4 * draw(st.integers(1, 6))]
        if change == "length" or draw(st.booleans()):
            data[2:4] = (len(data) & 0xFFFF).to_bytes(2, "big")
    return bytes(data)


class RoundTrip(SynchronousTestCase):
    """decode(encode(m)) == m."""

    def comes_back(self, protocol: ModuleType, strategy: st.SearchStrategy[object]) -> Callable[[], None]:
        @DETERMINISTIC
        @given(strategy)
        def check(message: object) -> None:
            data = protocol.encode(message)
            self.assertEqual(len(data) % 4, 0)
            self.assertTrue(0 <= len(data) - int.from_bytes(data[2:4], "big") <= 3)
            decoded = protocol.decode(data)
            self.assertEqual(decoded.message, message)
            self.assertIs(type(decoded.message), type(message))
            self.assertEqual(decoded.unrecognized, ())
            # The padding of a message may be lost on its way.
            self.assertEqual(protocol.decode(data[: int.from_bytes(data[2:4], "big")]).message, message)

        return check

    def test_every_message_has_a_strategy(self) -> None:
        self.assertEqual(tuple(ASAP), asap.MESSAGES)
        self.assertEqual(tuple(ENRP), enrp.MESSAGES)

    def test_types_are_those_of_the_rfcs(self) -> None:
        self.assertEqual([message.TYPE for message in asap.MESSAGES], list(range(1, 15)))
        self.assertEqual([message.TYPE for message in enrp.MESSAGES], list(range(1, 11)))

    @DETERMINISTIC
    @given(elements)
    def test_pool_element(self, element: object) -> None:
        tlv = encode_pool_element(element)  # type: ignore[arg-type]
        self.assertEqual(decode_pool_element(tlv), element)
        self.assertEqual(decode_pool_element(tlv[: int.from_bytes(tlv[2:4], "big")]), element)


def _add_round_trips() -> None:
    for protocol, name, table in ((asap, "asap", ASAP), (enrp, "enrp", ENRP)):
        for message, strategy in table.items():

            def test(
                self: RoundTrip, protocol: ModuleType = protocol, strategy: st.SearchStrategy[object] = strategy
            ) -> None:
                self.comes_back(protocol, strategy)()

            setattr(RoundTrip, f"test_{name}_{message.__name__}", test)


_add_round_trips()


class AnyBytes(SynchronousTestCase):
    """Any bytes decode or raise WireError, and nothing else."""

    @DETERMINISTIC
    @given(st.binary(max_size=200))
    def test_random_bytes(self, data: bytes) -> None:
        decodes_or_raises(asap, data)
        decodes_or_raises(enrp, data)

    @DETERMINISTIC
    @given(st.integers(0, 15), st.integers(0, 255), st.binary(max_size=200))
    def test_random_bytes_in_a_right_frame(self, kind: int, flags: int, value: bytes) -> None:
        data = bytes([kind, flags]) + (len(value) + 4).to_bytes(2, "big") + value
        decodes_or_raises(asap, data)
        decodes_or_raises(enrp, data)

    @DETERMINISTIC
    @given(mutated(asap, st.one_of(*ASAP.values())))
    def test_mutated_asap(self, data: bytes) -> None:
        decodes_or_raises(asap, data)

    @DETERMINISTIC
    @given(mutated(enrp, st.one_of(*ENRP.values())))
    def test_mutated_enrp(self, data: bytes) -> None:
        decodes_or_raises(enrp, data)

    @DETERMINISTIC
    @given(st.one_of(*ASAP.values()).map(asap.encode), st.data())
    def test_every_prefix(self, data: bytes, pick: st.DataObject) -> None:
        decodes_or_raises(asap, data[: pick.draw(st.integers(0, len(data)))])

    @DETERMINISTIC
    @given(mutated(asap, elements.map(lambda element: asap.BusinessCard(b"", (element,)))))
    def test_mutated_pool_element_alone(self, data: bytes) -> None:
        try:
            decode_pool_element(data[8:])
        except WireError:
            pass

    def test_deepest_nesting_of_unknown_and_known_parameters(self) -> None:
        """A message full of headers is worked off, each one once."""
        for header in (b"\x00\x0a", b"\x00\x04", b"\xc0\x0a", b"\x80\x01", b"\x00\x0c", b"\x00\x09"):
            value = b"".join(header + (65528 - 4 * n).to_bytes(2, "big") for n in range(16382))
            for kind in range(1, 15):
                data = bytes([kind, 0]) + (len(value) + 4).to_bytes(2, "big") + value
                decodes_or_raises(asap, data)
                decodes_or_raises(enrp, data)

    def test_as_many_small_parameters_as_fit(self) -> None:
        value = b"\x00\x09\x00\x04" + b"\xc0\x01\x00\x04" * 16381
        data = b"\x05\x00" + (len(value) + 4).to_bytes(2, "big") + value
        decoded = asap.decode(data)
        self.assertEqual(len(decoded.unrecognized), 16381)
        decodes_or_raises(asap, data)
