"""Unknown parameters and messages, wrong frames, missing and surplus parameters (RFC 5354 sections 3 and 4)."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause, cause_of, unrecognized_parameters
from rserpool.core.wire.parameters import (
    OpaqueTransport,
    ServerInformation,
    decode_pool_element,
    encode_policy,
    encode_pool_element,
)
from rserpool.core.wire.tlv import Decoded
from tests.conformance import rfc
from tests.core.wire.test_layout import ELEMENT, ELEMENT_TLV, HANDLE, HANDLE_TLV, IDENTIFIER_TLV, IPV4, PARTIES, SERVER

DISCARD = "0123 0005 ff 000000"
REPORT = "4123 0005 ff 000000"
SKIP = "8123 0005 ff 000000"
SKIP_AND_REPORT = "c123 0005 ff 000000"

USER = f"0005 0010 0050 0000 {IPV4}"
POLICY = "0008 0008 00000001"
ASAP_TRANSPORT = f"0004 0010 c350 0000 {IPV4}"


def nest(kind: str, *parts: str) -> str:
    """A parameter around what stands inside."""
    value = "".join(parts).replace(" ", "")
    return f"{kind} {len(value) // 2 + 4:04x} {value}"


def message(kind: str, *parts: str) -> bytes:
    """A message around its parameters; C{kind} is type and flags."""
    value = bytes.fromhex("".join(parts))
    return bytes.fromhex(kind) + (len(value) + 4).to_bytes(2, "big") + value


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
        self.assertEqual(asap.decode(data), Decoded(asap.HandleResolution(HANDLE)))

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


class Frames(SynchronousTestCase):
    """Lengths that do not agree."""

    def refused(self, protocol: ModuleType, *texts: str) -> None:
        for text in texts:
            error = self.assertRaises(WireError, protocol.decode, bytes.fromhex(text))
            self.assertIsInstance(error.cause, CauseCode)

    def test_message_length(self) -> None:
        self.refused(
            asap,
            "",
            "05",
            "05 00 00",
            "05 00 0000",
            "05 00 0003",
            "05 00 0009 0009 0004",  # more than came
            "05 00 0008 0009 0004 00000000",  # less than came
            "07 00 0004",
            "0a 00 0007 112233",
        )
        self.refused(enrp, "01 00 0004", "01 00 000b 0000000000000000", "04 00 000c 0000000000000000")
        self.refused(enrp, "04 00 000e 0000000000000000 0000", "07 00 000c 0000000000000000")

    @rfc("5354", "4", "MUST ignore the padding bytes")
    def test_three_bytes_of_padding_are_ignored(self) -> None:
        for padding in ("", "00", "0000", "ffffff"):
            data = bytes.fromhex(f"05 00 0008 0009 0004 {padding}")
            self.assertEqual(asap.decode(data).message, asap.HandleResolution(b""))

    def test_length_that_counts_the_final_padding_is_understood(self) -> None:
        """RFC 5354 section 4 forbids it, but nothing is lost by reading it."""
        self.assertEqual(asap.decode(bytes.fromhex(f"05 00 0010 {HANDLE_TLV}")).message, asap.HandleResolution(HANDLE))

    def test_parameter_length(self) -> None:
        self.refused(
            asap,
            "05 00 0005 00",
            "05 00 0007 000900",
            "05 00 0008 0009 0003",
            "05 00 0008 0009 0000",
            "05 00 0008 0009 0005",
            "05 00 0008 0009 ffff",
            "05 00 000c 0009 0004 803f 0004",
            f"05 00 0014 {HANDLE_TLV} 803f 0004",
            f"02 00 0014 {HANDLE_TLV} 000e 0004",
            f"02 00 001c {HANDLE_TLV} 000e 000c 0000000000000000",
        )
        self.refused(enrp, f"01 00 0010 {PARTIES} 000f 0004", f"01 00 0014 {PARTIES} 000f 0008 00000000")

    @rfc("5354", "3.10", "MUST have one and only one", "MUST be an SCTP type transport")
    @rfc("5354", "3.4", "MUST be present in an SCTP")
    def test_element_that_is_wrong_inside(self) -> None:
        for inside in (
            "",
            "00000000",
            "01 000000" * 3,
            "01 000000" * 3 + USER,
            "01 000000" * 3 + POLICY,
            "01 000000" * 3 + POLICY + "0008 0008 00000002" + USER,
            "01 000000" * 3 + USER + POLICY + USER,
            "01 000000" * 3 + USER + POLICY + ASAP_TRANSPORT + ASAP_TRANSPORT,
            "01 000000" * 3 + USER + "0008 0004",
            "01 000000" * 3 + "0005 0004" + POLICY,
            "01 000000" * 3 + "0005 0008 0050 0000" + POLICY,
            "01 000000" * 3 + "0004 0008 0050 0000" + POLICY,
            "01 000000" * 3 + f"0005 0018 0050 0000 {IPV4} {IPV4}" + POLICY,
            "01 000000" * 3 + f"0003 0010 0050 0000 {IPV4}" + POLICY,
            "01 000000" * 3 + "0005 0010 0050 0000 0001 0007 000000 00" + POLICY,
            "01 000000" * 3 + "0005 0010 0050 0000 0002 0008 00000000" + POLICY,
            "01 000000" * 3 + "0005 0010 0050 0000 0009 0008 00000000" + POLICY,
        ):
            element = nest("000a", inside)
            error = self.assertRaises(WireError, asap.decode, message("01 00", HANDLE_TLV, element))
            self.assertEqual(error.cause, CauseCode.INVALID_VALUES)
            self.assertTrue(error.report)
            self.assertRaises(WireError, decode_pool_element, bytes.fromhex(element))

    def test_pool_element_alone(self) -> None:
        for text in ("", "000a", HANDLE_TLV, ELEMENT_TLV + "00000000", ELEMENT_TLV + ELEMENT_TLV):
            self.assertRaises(WireError, decode_pool_element, bytes.fromhex(text))

    def test_server_information_that_is_wrong_inside(self) -> None:
        transport = f"0004 0010 26ad 0000 {IPV4}"
        for inside in ("", "112233", "11223344", "11223344" + USER, "11223344" + transport + transport):
            self.assertRaises(WireError, enrp.decode, message("06 00", PARTIES, nest("000b", inside)))


class Parameters(SynchronousTestCase):
    """Parameters that are missing, stand twice, or do not belong."""

    def test_missing(self) -> None:
        for protocol, data in (
            (asap, message("01 00", HANDLE_TLV)),
            (asap, message("01 00", ELEMENT_TLV)),
            (asap, message("02 00", HANDLE_TLV)),
            (asap, message("02 00", IDENTIFIER_TLV)),
            (asap, message("03 00", HANDLE_TLV)),
            (asap, message("04 00", IDENTIFIER_TLV)),
            (asap, message("05 00")),
            (asap, message("06 00", ELEMENT_TLV)),
            (asap, message("07 00", "11223344")),
            (asap, message("08 00", HANDLE_TLV)),
            (asap, message("09 00", HANDLE_TLV)),
            (asap, message("0b 00")),
            (asap, message("0c 00")),
            (asap, message("0d 00", ELEMENT_TLV)),
            (enrp, message("04 00", PARTIES, "00000000", HANDLE_TLV)),
            (enrp, message("04 00", PARTIES, "00000000", ELEMENT_TLV)),
            (enrp, message("03 00", PARTIES, ELEMENT_TLV)),
        ):
            error = self.assertRaises(WireError, protocol.decode, data)
            self.assertEqual(error.cause, CauseCode.INVALID_VALUES)
            self.assertTrue(error.report)

    def test_twice_or_out_of_place(self) -> None:
        """Two handles could be read differently by two receivers; so such a message is refused."""
        for protocol, data in (
            (asap, message("05 00", HANDLE_TLV, HANDLE_TLV)),
            (asap, message("05 00", HANDLE_TLV, IDENTIFIER_TLV)),
            (asap, message("01 00", HANDLE_TLV, ELEMENT_TLV, ELEMENT_TLV)),
            (asap, message("06 00", HANDLE_TLV, POLICY, POLICY)),
            (asap, message("06 00", HANDLE_TLV, HANDLE_TLV)),
            (asap, message("0d 00", HANDLE_TLV, HANDLE_TLV)),
            (asap, message("0b 00", "000d 0004 000d 0004")),
            (asap, message("0a 00", "11223344", f"0006 0010 0f17 0000 {IPV4}")),
            (enrp, message("05 00", PARTIES, HANDLE_TLV)),
            (enrp, message("01 00", PARTIES, "000f 0006 ffff 0000 000f 0006 ffff 0000")),
        ):
            error = self.assertRaises(WireError, protocol.decode, data)
            self.assertEqual(error.cause, CauseCode.INVALID_VALUES)
            self.assertTrue(error.information)

    def test_other_order(self) -> None:
        self.assertEqual(
            asap.decode(message("01 00", ELEMENT_TLV, HANDLE_TLV)).message, asap.Registration(HANDLE, ELEMENT)
        )
        mixed = nest("000a", "01 000000" * 3, POLICY, ASAP_TRANSPORT, ASAP_TRANSPORT)
        element = decode_pool_element(bytes.fromhex(mixed))
        self.assertEqual(element.user_transport, element.asap_transport)


class Encoding(SynchronousTestCase):
    """Values that do not fit raise ValueError, and nothing else."""

    @rfc("5354", "3.4", "MUST be present in an SCTP")
    def test_values_that_do_not_fit(self) -> None:
        transport = TcpTransport(80, "10.11.12.1")
        bad: list[asap.Message] = [
            asap.Cookie(bytes(65528)),
            asap.Deregistration(b"x", -1),
            asap.Deregistration(b"x", 2**32),
            asap.HandleResolution(b"x", items=-1),
            asap.HandleResolution(bytes(65535)),
            asap.Registration(b"x", PoolElementParameter(1, 2, 2**31, transport, PolicyParameter(1))),
            asap.Registration(
                b"x", PoolElementParameter(1, 2, 3, TcpTransport(65536, "10.11.12.1"), PolicyParameter(1))
            ),
            asap.Registration(b"x", PoolElementParameter(1, 2, 3, TcpTransport(80, "example.org"), PolicyParameter(1))),
            asap.Registration(b"x", PoolElementParameter(1, 2, 3, SctpTransport(80, 0, ()), PolicyParameter(1))),
            asap.Registration(b"x", PoolElementParameter(1, 2, 3, OpaqueTransport(bytes(65535)), PolicyParameter(1))),
            asap.Registration(b"x", PoolElementParameter(1, 2, 3, transport, PolicyParameter(2**32))),
            asap.Registration(b"x", PoolElementParameter(1, 2, 3, transport, PolicyParameter(1), None, 65536)),
            asap.BusinessCard(b"x", (ELEMENT,) * 1639),
            asap.Error(()),
            asap.Error((ErrorCause(65536),)),
            asap.Error((ErrorCause(1, bytes(65532)),)),
        ]
        for message in bad:
            self.assertRaises(ValueError, asap.encode, message)
        self.assertRaises(ValueError, enrp.encode, enrp.Presence(1, 2, 65536))
        self.assertRaises(ValueError, enrp.encode, enrp.ListResponse(1, 2, (SERVER,) * 3000))
        self.assertRaises(ValueError, enrp.encode, enrp.ListResponse(1, 2, (ServerInformation(-1, SERVER.transport),)))
        self.assertRaises(
            ValueError, encode_pool_element, PoolElementParameter(-1, 2, 3, transport, PolicyParameter(1))
        )
        self.assertRaises(ValueError, encode_policy, PolicyParameter(-1))

    def test_the_longest_that_fit(self) -> None:
        for longest in (asap.HandleResolution(bytes(65527)), asap.Cookie(bytes(65527))):
            data = asap.encode(longest)
            self.assertEqual((len(data), data[2:4]), (65536, b"\xff\xff"))
            self.assertEqual(asap.decode(data).message, longest)
