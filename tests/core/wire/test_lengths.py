"""Lengths, padding and values that are wrong (RFC 5354 sections 3 and 4), and what cannot be encoded."""

from __future__ import annotations

from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.parameters import (
    OpaqueTransport,
    ServerInformation,
    decode_pool_element,
    encode_policy,
    encode_pool_element,
)
from tests.conformance import rfc
from tests.core.wire.parts import ASAP_TRANSPORT, POLICY, USER, message, nest
from tests.core.wire.test_layout import ELEMENT, ELEMENT_TLV, HANDLE, HANDLE_TLV, IDENTIFIER_TLV, IPV4, PARTIES, SERVER


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
            self.assertEqual(asap.decode(data).message, asap.HandleResolution(b"", private=False))

    def test_length_that_counts_the_final_padding_is_understood(self) -> None:
        """RFC 5354 section 4 forbids it, but nothing is lost by reading it."""
        self.assertEqual(asap.decode(bytes.fromhex(f"05 80 0010 {HANDLE_TLV}")).message, asap.HandleResolution(HANDLE))

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
        for wrong in bad:
            self.assertRaises(ValueError, asap.encode, wrong)
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
