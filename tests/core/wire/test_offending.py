"""What an Invalid Values cause carries: the offending TLV whole (RFC 5354 section 3.12.4)."""

from __future__ import annotations

from types import ModuleType

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.refusing import refuse
from rserpool.core.wire.tlv import LONGEST_INFORMATION
from tests.core.wire.parts import ASAP_TRANSPORT, POLICY, USER, message, nest
from tests.core.wire.test_layout import ELEMENT_TLV, HANDLE, HANDLE_TLV, IDENTIFIER_TLV, IPV4, PARTIES

FIXED = "0badcafe 00000000 0000003c"
SHORT_ELEMENT, NO_POLICY = nest("000a", "0badcafe"), nest("000a", FIXED, USER)
CUT_TRANSPORT, NO_ADDRESS = "0005 0006 0050 0000", "0004 0008 0050 0000"
TWO_ADDRESSES, ODD_ADDRESS = f"0005 0018 0050 0000 {IPV4} {IPV4}", "0001 0007 0a0b0c 00"
NO_TYPE, ODD_IDENTIFIER, NO_CAUSE = "0008 0004", "000e 0006 0bad 0000", "000c 0004"
LYING = nest("000a", FIXED, USER, "0008 0040 00000001")


def registration(element: str) -> bytes:
    """One with this Pool Element."""
    return message("01 00", HANDLE_TLV, element)


# What comes, and the whole TLV that has the fault; None: the message itself.
KINDS: tuple[tuple[ModuleType, bytes, str | None], ...] = (
    (asap, registration(SHORT_ELEMENT), SHORT_ELEMENT),
    (asap, registration(NO_POLICY), NO_POLICY),
    (asap, registration(nest("000a", FIXED, CUT_TRANSPORT, POLICY)), CUT_TRANSPORT[:14] + CUT_TRANSPORT[14:]),
    (asap, registration(nest("000a", FIXED, NO_ADDRESS, POLICY)), NO_ADDRESS),
    (asap, registration(nest("000a", FIXED, TWO_ADDRESSES, POLICY)), TWO_ADDRESSES),
    (asap, registration(nest("000a", FIXED, f"0005 0010 0050 0000 {ODD_ADDRESS}", POLICY)), ODD_ADDRESS[:-3]),
    (asap, registration(nest("000a", FIXED, USER, NO_TYPE)), NO_TYPE),
    (asap, registration(nest("000a", FIXED, USER, POLICY, ASAP_TRANSPORT, ASAP_TRANSPORT)), ASAP_TRANSPORT),
    (asap, registration(LYING), LYING),
    (asap, registration(nest("000a", FIXED, USER, POLICY, "0001")), nest("000a", FIXED, USER, POLICY, "0001")),
    (asap, message("02 00", HANDLE_TLV, ODD_IDENTIFIER), "000e 0006 0bad"),
    (asap, message("03 00", HANDLE_TLV, IDENTIFIER_TLV, NO_CAUSE), NO_CAUSE),
    (asap, message("05 00", HANDLE_TLV, HANDLE_TLV), "0009 0009 4563686f35"),
    (asap, message("01 00", HANDLE_TLV), None),
    (asap, message("05 00", "0009 0040 4563686f"), None),
    (asap, message("05 00", HANDLE_TLV, "0009"), None),
    (asap, bytes.fromhex("07 00 0004"), None),
    (enrp, message("04 00", PARTIES), None),
    (enrp, message("01 00", PARTIES, "000f 0007 ffffff 00"), "000f 0007 ffffff"),
)


class OffendingTests(SynchronousTestCase):
    """In every kind of fault."""

    def test_kinds(self) -> None:
        for protocol, data, offending in KINDS:
            error = self.assertRaises(WireError, protocol.decode, data)
            self.assertEqual(CauseCode.INVALID_VALUES, error.cause)
            expected = data if offending is None else bytes.fromhex(offending)
            expected = expected[: int.from_bytes(expected[2:4], "big")]
            self.assertEqual(expected, error.information, f"{error} in {data.hex()}")

    def test_a_message_that_is_shorter_than_it_says(self) -> None:
        """There is no more of it: the length is what came."""
        error = self.assertRaises(WireError, asap.decode, bytes.fromhex("05 00 0040 0009 0004"))
        self.assertEqual(bytes.fromhex("05 00 0008 0009 0004"), error.information)

    def test_too_long(self) -> None:
        """What fits no error is cut, and its length with it."""
        data = message("05 00", "0009 0008 11111111" * 8190)
        error = self.assertRaises(WireError, asap.decode, data + b"\0" * 4)
        self.assertEqual(LONGEST_INFORMATION, len(error.information))
        self.assertEqual(LONGEST_INFORMATION, int.from_bytes(error.information[2:4], "big"))

    def test_no_header(self) -> None:
        """Nothing can be shown of it: an Unspecified Error."""
        for data in (b"", b"\1", b"\1\0\0"):
            error = self.assertRaises(WireError, asap.decode, data)
            self.assertEqual((CauseCode.UNSPECIFIED, b""), (error.cause, error.information))

    @given(st.binary(max_size=80), st.integers(0, 14))
    def test_anything(self, value: bytes, kind: int) -> None:
        """Whatever comes: one TLV whose length is right."""
        data = bytes((kind, 0)) + (len(value) + 4).to_bytes(2, "big") + value
        for protocol in (asap, enrp):
            try:
                protocol.decode(data)
            except WireError as error:
                if error.cause == CauseCode.INVALID_VALUES:
                    self.assertEqual(len(error.information), int.from_bytes(error.information[2:4], "big"))


class RefusingTests(SynchronousTestCase):
    """The response that is due all the same."""

    def refuse(self, data: bytes) -> asap.Message | None:
        return refuse(data, self.assertRaises(WireError, asap.decode, data))

    def test_registration(self) -> None:
        """R=1, with handle and identifier as far as they can be read."""
        for data, handle, identifier in (
            (registration(NO_POLICY), HANDLE, 0x0BADCAFE),
            (registration(SHORT_ELEMENT), HANDLE, 0x0BADCAFE),
            (message("01 00", NO_POLICY, HANDLE_TLV), HANDLE, 0x0BADCAFE),
            (message("01 00", HANDLE_TLV), HANDLE, 0),
            (message("01 00", ELEMENT_TLV), b"", 0x0BADCAFE),
            (registration(ELEMENT_TLV) + b"1234", HANDLE, 0x0BADCAFE),
        ):
            answer = self.refuse(data)
            assert isinstance(answer, asap.RegistrationResponse)
            self.assertEqual((handle, identifier, True), (answer.handle, answer.identifier, answer.rejected))
            self.assertEqual([CauseCode.INVALID_VALUES], [cause.code for cause in answer.causes])

    def test_others(self) -> None:
        """Deregistration and resolution; what is no request, or tells nothing, has no response."""
        answer = self.refuse(message("02 00", HANDLE_TLV, ODD_IDENTIFIER))
        assert isinstance(answer, asap.DeregistrationResponse)
        self.assertEqual((HANDLE, 0), (answer.handle, answer.identifier))
        answer = self.refuse(message("05 00", HANDLE_TLV, HANDLE_TLV))
        assert isinstance(answer, asap.HandleResolutionResponse)
        self.assertEqual((HANDLE, ()), (answer.handle, answer.elements))
        for data in (
            b"",
            message("01 00"),
            message("05 00"),
            message("09 00", HANDLE_TLV),
            message("08 00", HANDLE_TLV),
        ):
            self.assertIsNone(self.refuse(data))
