"""Unknown parameters and messages, wrong frames, missing and surplus parameters (RFC 5354 sections 3 and 4)."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause, cause_of, unrecognized_parameters
from rserpool.core.wire.parameters import (
    decode_pool_element,
)
from rserpool.core.wire.tlv import Decoded
from tests.conformance import rfc
from tests.core.wire.parts import ASAP_TRANSPORT, POLICY, USER, message, nest
from tests.core.wire.test_layout import ELEMENT_TLV, HANDLE, HANDLE_TLV, IDENTIFIER_TLV, IPV4, PARTIES

DISCARD = "0123 0005 ff 000000"
REPORT = "4123 0005 ff 000000"
SKIP = "8123 0005 ff 000000"
SKIP_AND_REPORT = "c123 0005 ff 000000"


class Places:
    """Where an unknown parameter may stand."""

    @staticmethod
    def of(unknown: str) -> list[tuple[str, ModuleType, bytes]]:
        server = nest("000b", "11223344", f"0004 0010 26ad 0000 {IPV4}", unknown)
        inside_transport = nest("0004", "26ad 0000", IPV4, unknown)
        return [
            ("beside the handle", asap, message("05 00", HANDLE_TLV, unknown)),
            ("before the handle", asap, message("05 00", unknown, HANDLE_TLV)),
            ("after the element", asap, message("01 00", HANDLE_TLV, ELEMENT_TLV, unknown)),
            (
                "inside the element",
                asap,
                message("01 00", HANDLE_TLV, nest("000a", "01 000000" * 3, USER, POLICY, unknown)),
            ),
            (
                "before the user transport",
                asap,
                message("0d 00", HANDLE_TLV, nest("000a", "01 000000" * 3, unknown, USER, POLICY)),
            ),
            (
                "inside the user transport",
                asap,
                message("06 00", HANDLE_TLV, nest("000a", "01 000000" * 3, inside_transport, POLICY)),
            ),
            (
                "inside a TCP transport",
                asap,
                message(
                    "06 00",
                    HANDLE_TLV,
                    nest("000a", "01 000000" * 3, nest("0005", "0050 0000", unknown, IPV4), POLICY),
                ),
            ),
            (
                "inside the ASAP transport",
                enrp,
                message(
                    "04 00",
                    PARTIES,
                    "00000000",
                    HANDLE_TLV,
                    nest("000a", "01 000000" * 3, USER, POLICY, inside_transport),
                ),
            ),
            ("inside an announced transport", asap, message("0a 00", "11223344", inside_transport)),
            ("beside an announced transport", asap, message("0a 00", "11223344", ASAP_TRANSPORT, unknown)),
            ("beside a response", asap, message("03 00", HANDLE_TLV, IDENTIFIER_TLV, unknown)),
            ("beside a cookie", asap, message("0b 00", "000d 0004", unknown)),
            ("beside an acknowledgement", asap, message("08 00", HANDLE_TLV, IDENTIFIER_TLV, unknown)),
            ("in a keep-alive", asap, message("07 00", "11223344", HANDLE_TLV, unknown)),
            ("in a presence", enrp, message("01 00", PARTIES, unknown, "000f 0006 ffff 0000")),
            ("inside server information", enrp, message("01 00", PARTIES, server)),
            ("inside a listed server", enrp, message("06 00", PARTIES, server)),
            (
                "inside a server's transport",
                enrp,
                message("06 00", PARTIES, nest("000b", "11223344", inside_transport)),
            ),
            ("in a handle table", enrp, message("03 00", PARTIES, HANDLE_TLV, unknown, ELEMENT_TLV)),
            ("in a request", enrp, message("05 00", PARTIES, unknown)),
            ("in a takeover", enrp, message("07 00", PARTIES, "33333333", unknown)),
        ]


class UnknownParameters(SynchronousTestCase):
    """The two high bits of the type say what to do, wherever the parameter stands."""

    @rfc("5352", "2.2.14", "SHOULD handle")
    @rfc("5353", "3.7", "SHOULD handle")
    def test_00_discards_silently(self) -> None:
        for place, protocol, data in Places.of(DISCARD):
            error = self.assertRaises(WireError, protocol.decode, data)
            self.assertFalse(error.report, place)

    @rfc("5352", "2.2.14", "SHOULD handle")
    @rfc("5353", "3.7", "SHOULD handle")
    def test_01_discards_and_reports_the_complete_parameter(self) -> None:
        for place, protocol, data in Places.of(REPORT):
            error = self.assertRaises(WireError, protocol.decode, data)
            self.assertTrue(error.report, place)
            self.assertEqual(
                cause_of(error), ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, bytes.fromhex("41230005ff")), place
            )

    @rfc("5352", "2.2.14", "SHOULD handle")
    @rfc("5353", "3.7", "SHOULD handle")
    def test_10_skips(self) -> None:
        for (place, protocol, data), (_, _, without) in zip(Places.of(SKIP), Places.of(""), strict=True):
            self.assertEqual(protocol.decode(data), protocol.decode(without), place)

    @rfc("5352", "2.2.14", "SHOULD handle")
    @rfc("5353", "3.7", "SHOULD handle")
    def test_11_skips_and_reports(self) -> None:
        for (place, protocol, data), (_, _, without) in zip(Places.of(SKIP_AND_REPORT), Places.of(""), strict=True):
            decoded = protocol.decode(data)
            self.assertEqual(decoded.message, protocol.decode(without).message, place)
            self.assertEqual(decoded.unrecognized, (bytes.fromhex("c1230005ff"),), place)
            self.assertEqual(
                unrecognized_parameters(decoded.unrecognized),
                (ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, bytes.fromhex("c1230005ff")),),
            )

    def test_every_one_is_reported_in_order(self) -> None:
        data = message("05 00", "c001 0004", HANDLE_TLV, "c002 0004", SKIP, "ffff 0004")
        self.assertEqual(
            asap.decode(data).unrecognized, tuple(bytes.fromhex(f"{kind}0004") for kind in ("c001", "c002", "ffff"))
        )

    def test_errors_report_nothing(self) -> None:
        """An answer to an error could go on for ever."""
        decoded = asap.decode(message("0e 00", "000c 0008 0009 0004", SKIP_AND_REPORT))
        self.assertEqual(decoded.message, asap.Error((ErrorCause(9),)))
        self.assertEqual(decoded.unrecognized, ())
        for protocol, data in (
            (asap, message("0e 00", REPORT)),
            (asap, message("0e 00")),
            (asap, message("0e 00", "000c 0004")),
            (asap, b"\x0e\0\0\x08"),
            (enrp, message("0a 00", PARTIES, REPORT)),
            (enrp, b"\x0a\0\0\x08\0\0\0\0"),
        ):
            self.assertFalse(self.assertRaises(WireError, protocol.decode, data).report)

    def test_private_parameter_of_another_version_is_skipped(self) -> None:
        for private in ("8f01 0008 02 00 26aa", "8f01 000c 01 00 26aa 00000000", "8f01 0004", "8f01 0005 01 000000"):
            element = decode_pool_element(bytes.fromhex(nest("000a", "01 000000" * 3, USER, POLICY, private)))
            self.assertEqual(element.encapsulation, 0)

    def test_private_parameter_elsewhere_is_skipped(self) -> None:
        data = message("05 00", HANDLE_TLV, "8f01 0008 01 00 26aa")
        self.assertEqual(asap.decode(data), Decoded(asap.HandleResolution(HANDLE, private=False)))

    def test_reports_never_outgrow_a_message(self) -> None:
        for tlvs in ([bytes.fromhex("c0010004")] * 16000, [bytes(65508)], [bytes(30000)] * 3, []):
            causes = unrecognized_parameters(tlvs)
            self.assertEqual(bool(causes), bool(tlvs))
            if causes:
                enrp.encode(enrp.Error(1, 2, causes))


class UnknownMessages(SynchronousTestCase):
    """RFC 5354 section 4: 00 discard, 01 discard and report, 10 and 11 are reserved."""

    @rfc("5352", "2.2.14", "SHOULD handle")
    @rfc("5353", "3.7", "SHOULD handle")
    def test_01_reports_the_message(self) -> None:
        for protocol in (asap, enrp):
            error = self.assertRaises(WireError, protocol.decode, b"\x77\1\0\5x\0\0\0")
            self.assertTrue(error.report)
            self.assertEqual(cause_of(error), ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, b"\x77\1\0\5x"))

    @rfc("5352", "2.2.14", "SHOULD handle")
    @rfc("5353", "3.7", "SHOULD handle")
    def test_others_are_discarded_silently(self) -> None:
        for kind in (0x00, 0x0F, 0x3F, 0x80, 0xBF, 0xC0, 0xFF):
            for protocol in (asap, enrp):
                error = self.assertRaises(WireError, protocol.decode, bytes([kind, 0, 0, 4]))
                self.assertFalse(error.report)
                self.assertEqual(error.cause, CauseCode.UNRECOGNIZED_MESSAGE)

    def test_report_fits_a_message(self) -> None:
        error = self.assertRaises(WireError, enrp.decode, b"\x40\0\xff\xff" + bytes(65531))
        enrp.encode(enrp.Error(1, 2, (cause_of(error),)))

    def test_unknown_flags_are_ignored(self) -> None:
        self.assertEqual(
            asap.decode(message("05 fe", HANDLE_TLV)).message, asap.HandleResolution(HANDLE, subscribe=False)
        )
        self.assertEqual(
            asap.decode(message("05 ff", HANDLE_TLV)).message, asap.HandleResolution(HANDLE, subscribe=True)
        )
