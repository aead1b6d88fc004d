"""What RFC 5354 requires of bytes, where no other test shows it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport, UdpTransport, WireError
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import (
    DATA_ONLY,
    DccpTransport,
    UdpLiteTransport,
    decode_pool_element,
    encode_pool_element,
)
from tests.conformance import rfc


class PaddingTests(SynchronousTestCase):
    """Sections 3 and 4."""

    @rfc(
        "5354",
        "3",
        "MUST be a multiple of 4",
        "MUST pad the parameter at the end",
        "MUST NOT pad with more than 3",
    )
    @rfc("5354", "4", "MUST be a multiple of 4", "MUST pad the message with all")
    def test_padding(self) -> None:
        """Zeros, at most three, which neither the parameter's length nor that of the message counts."""
        for length in range(9):
            data = asap.encode(asap.HandleResolution(b"x" * length))
            padding = -length % 4
            self.assertEqual(data[2:4], (8 + length).to_bytes(2, "big"))
            self.assertEqual(data[4:8], b"\0\x09" + (4 + length).to_bytes(2, "big"))
            self.assertEqual(data[8:], b"x" * length + bytes(padding))
            self.assertEqual(len(data) % 4, 0)

    @rfc("5354", "3", "MUST ignore the padding bytes")
    @rfc("5354", "4", "MUST ignore the padding bytes")
    def test_padding_is_ignored(self) -> None:
        """Whatever it is: inside a message, inside a parameter, at the end."""
        message = asap.EndpointKeepAlive(1, b"handle", True, 7)
        data = asap.encode(message)
        self.assertEqual(data[18:20], b"\0\0")
        for padding in (b"\xff\xff", b"\0\x01"):
            self.assertEqual(asap.decode(data[:18] + padding + data[20:]).message, message)
        element = PoolElementParameter(1, 2, 3, TcpTransport(80, "10.0.0.1"), PolicyParameter(0x80000001, b"abcde"))
        tlv = encode_pool_element(element)
        self.assertEqual(tlv[-3:], bytes(3))
        self.assertEqual(decode_pool_element(tlv[:-3] + b"\xff\xff\xff"), element)


class TransportUseTests(SynchronousTestCase):
    """Sections 3.3 to 3.7."""

    @rfc("5354", "3.3", 'MUST always be treated as a "Data Only" type')
    @rfc("5354", "3.5", 'MUST always be treated as a "Data Only" type')
    @rfc("5354", "3.6", 'MUST always be treated as a "Data Only" type')
    @rfc("5354", "3.7", 'MUST always be treated as a "Data Only" type')
    def test_others_are_data_only(self) -> None:
        """Also where the field in which SCTP has its use says something else."""
        for transport in (
            DccpTransport(80, 0x41424344, "10.0.0.1"),
            TcpTransport(80, "10.0.0.1"),
            UdpTransport(80, "10.0.0.1"),
            UdpLiteTransport(80, "10.0.0.1"),
        ):
            tlv = encode_pool_element(PoolElementParameter(1, 2, 3, transport, PolicyParameter(1)))
            self.assertEqual((tlv[20:22], tlv[22:24]), (b"\0\x50", b"\0\0"))
            decoded = decode_pool_element(tlv[:22] + b"\0\x01" + tlv[24:])
            self.assertEqual(decoded.user_transport.use, DATA_ONLY)

    @rfc("5354", "3.4", "at least one IP address parameter MUST be present")
    def test_an_address_at_least(self) -> None:
        tlv = bytes.fromhex(
            "000a 0020 00000001 00000002 00000003 0004 0008 0050 0000 0008 0008 00000001".replace(" ", "")
        )
        with self.assertRaises(WireError):
            decode_pool_element(tlv)
