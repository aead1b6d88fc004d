"""The exact bytes of every message and parameter, by hand from the figures of RFC 5352, 5353 and 5354."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, UdpTransport
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import (
    DATA_PLUS_CONTROL,
    DccpTransport,
    ErrorCause,
    OpaqueTransport,
    ServerInformation,
    UdpLiteTransport,
    UserTransport,
    decode_pool_element,
    encode_policy,
    encode_pool_element,
)
from rserpool.core.wire.tlv import Decoded
from tests.conformance import rfc

HANDLE = b"Echo5"
HANDLE_TLV = "0009 0009 4563686f35 000000"
IDENTIFIER_TLV = "000e 0008 0badcafe"
UNKNOWN_HANDLE_TLV = "000c 0008 0009 0004"
IPV4 = "0001 0008 0a0b0c01"
IPV6 = "0002 0014 20010db8000000000000000000000001"

ELEMENT = PoolElementParameter(0x0BADCAFE, 0x11223344, -1, TcpTransport(80, "10.11.12.1"), PolicyParameter(1))
ELEMENT_TLV = f"000a 0028 0badcafe 11223344 ffffffff  0005 0010 0050 0000 {IPV4}  0008 0008 00000001"
FULL_ELEMENT = PoolElementParameter(
    7,
    0,
    30,
    SctpTransport(7001, DATA_PLUS_CONTROL, ("10.11.12.1", "2001:db8::1")),
    PolicyParameter(0x40000001, bytes.fromhex("7fffffff")),
    SctpTransport(50000, 0, ("10.11.12.1",)),
    9898,
)
FULL_ELEMENT_TLV = (
    f"000a 0058 00000007 00000000 0000001e  0004 0024 1b59 0001 {IPV4} {IPV6}"
    f" 0008 000c 40000001 7fffffff  0004 0010 c350 0000 {IPV4}  8f01 0008 01 00 26aa"
)
SERVER = ServerInformation(0x11223344, SctpTransport(9901, 0, ("10.11.12.1",)))
SERVER_TLV = f"000b 0018 11223344 0004 0010 26ad 0000 {IPV4}"
FAR_SERVER_TLV = f"000b 0020 11223344 0004 0010 26ad 0000 {IPV4} 8f01 0008 01 00 26aa"
SENDER, RECEIVER, TARGET = 0x1A2B3C4D, 0x5E6F7081, 0x92A3B4C5
PARTIES = "1a2b3c4d 5e6f7081"

ASAP: list[tuple[asap.Message, str]] = [
    (asap.Registration(HANDLE, ELEMENT), f"01 00 0038 {HANDLE_TLV} {ELEMENT_TLV}"),
    (asap.Registration(HANDLE, FULL_ELEMENT), f"01 00 0068 {HANDLE_TLV} {FULL_ELEMENT_TLV}"),
    (asap.Deregistration(HANDLE, 0x0BADCAFE), f"02 00 0018 {HANDLE_TLV} {IDENTIFIER_TLV}"),
    (asap.RegistrationResponse(HANDLE, 0x0BADCAFE), f"03 00 0018 {HANDLE_TLV} {IDENTIFIER_TLV}"),
    (
        asap.RegistrationResponse(HANDLE, 0x0BADCAFE, True, (ErrorCause(5, encode_policy(PolicyParameter(1))),)),
        f"03 01 0028 {HANDLE_TLV} {IDENTIFIER_TLV} 000c 0010 0005 000c 0008 0008 00000001",
    ),
    (asap.DeregistrationResponse(HANDLE, 0x0BADCAFE), f"04 00 0018 {HANDLE_TLV} {IDENTIFIER_TLV}"),
    (
        asap.DeregistrationResponse(HANDLE, 0x0BADCAFE, (ErrorCause(9),)),
        f"04 00 0020 {HANDLE_TLV} {IDENTIFIER_TLV} {UNKNOWN_HANDLE_TLV}",
    ),
    # The length of a message does not count its final padding (RFC 5354 section 4).
    (asap.HandleResolution(HANDLE), f"05 80 000d {HANDLE_TLV}"),
    (asap.HandleResolution(HANDLE, True, 0xFFFFFFFF), f"05 81 0018 {HANDLE_TLV} 803f 0008 ffffffff"),
    (asap.HandleResolution(b"", private=False), "05 00 0008 0009 0004"),
    (
        asap.HandleResolutionResponse(HANDLE, PolicyParameter(1), (ELEMENT, ELEMENT), True),
        f"06 01 0068 {HANDLE_TLV} 0008 0008 00000001 {ELEMENT_TLV} {ELEMENT_TLV}",
    ),
    (
        asap.HandleResolutionResponse(HANDLE, causes=(ErrorCause(9),)),
        f"06 00 0018 {HANDLE_TLV} {UNKNOWN_HANDLE_TLV}",
    ),
    (asap.EndpointKeepAlive(0x11223344, HANDLE), f"07 00 0011 11223344 {HANDLE_TLV}"),
    (
        asap.EndpointKeepAlive(0x11223344, HANDLE, True, 0x0BADCAFE),
        f"07 01 001c 11223344 {HANDLE_TLV} {IDENTIFIER_TLV}",
    ),
    (asap.EndpointKeepAliveAck(HANDLE, 0x0BADCAFE), f"08 00 0018 {HANDLE_TLV} {IDENTIFIER_TLV}"),
    (asap.EndpointUnreachable(HANDLE, 0x0BADCAFE), f"09 00 0018 {HANDLE_TLV} {IDENTIFIER_TLV}"),
    (asap.ServerAnnounce(0x11223344), "0a 00 0008 11223344"),
    (
        asap.ServerAnnounce(
            0x11223344, (SctpTransport(3863, 0, ("10.11.12.1",)), TcpTransport(3863, "2001:db8::1")), 9898
        ),
        f"0a 00 003c 11223344 0004 0010 0f17 0000 {IPV4} 0005 001c 0f17 0000 {IPV6} 8f01 0008 01 00 26aa",
    ),
    (asap.Cookie(b"abcde"), "0b 00 000d 000d 0009 6162636465 000000"),
    (asap.CookieEcho(b"abcd"), "0c 00 000c 000d 0008 61626364"),
    (asap.BusinessCard(HANDLE, (ELEMENT, ELEMENT)), f"0d 00 0060 {HANDLE_TLV} {ELEMENT_TLV} {ELEMENT_TLV}"),
    (
        asap.Error((ErrorCause(1, bytes.fromhex("c1230005ff")), ErrorCause(2, bytes.fromhex("77000004")))),
        "0e 00 001c 000c 0018 0001 0009 c1230005ff 000000 0002 0008 77000004",
    ),
    # Neither do a parameter and what holds it count the padding of the last one inside (RFC 5354 section 2).
    (asap.Error((ErrorCause(3, b"xyz"),)), "0e 00 000f 000c 000b 0003 0007 78797a 00"),
]

ENRP: list[tuple[enrp.Message, str]] = [
    (
        enrp.Presence(SENDER, RECEIVER, 0xABCD, SERVER, True),
        f"01 01 002c {PARTIES} 000f 0006 abcd 0000 {SERVER_TLV}",
    ),
    (enrp.Presence(SENDER, RECEIVER, 0xFFFF), f"01 00 0012 {PARTIES} 000f 0006 ffff 0000"),
    (enrp.Presence(SENDER, RECEIVER), f"01 00 000c {PARTIES}"),
    (enrp.HandleTableRequest(SENDER, RECEIVER), f"02 00 000c {PARTIES}"),
    (enrp.HandleTableRequest(SENDER, RECEIVER, True), f"02 01 000c {PARTIES}"),
    (enrp.HandleTableResponse(SENDER, RECEIVER, rejected=True), f"03 01 000c {PARTIES}"),
    (
        enrp.HandleTableResponse(
            SENDER,
            RECEIVER,
            (enrp.PoolEntry(HANDLE, (ELEMENT, ELEMENT)), enrp.PoolEntry(b"x", (ELEMENT,))),
            True,
        ),
        f"03 02 0098 {PARTIES} {HANDLE_TLV} {ELEMENT_TLV} {ELEMENT_TLV} 0009 0005 78 000000 {ELEMENT_TLV}",
    ),
    (
        enrp.HandleUpdate(SENDER, RECEIVER, enrp.UpdateAction.ADD_PE, HANDLE, ELEMENT),
        f"04 00 0044 {PARTIES} 0000 0000 {HANDLE_TLV} {ELEMENT_TLV}",
    ),
    (
        enrp.HandleUpdate(SENDER, RECEIVER, enrp.UpdateAction.DEL_PE, HANDLE, ELEMENT),
        f"04 00 0044 {PARTIES} 0001 0000 {HANDLE_TLV} {ELEMENT_TLV}",
    ),
    (enrp.ListRequest(SENDER, RECEIVER), f"05 00 000c {PARTIES}"),
    (enrp.ListResponse(SENDER, RECEIVER, rejected=True), f"06 01 000c {PARTIES}"),
    (
        enrp.ListResponse(SENDER, RECEIVER, (SERVER, ServerInformation(SERVER.identifier, SERVER.transport, 9898))),
        f"06 00 0044 {PARTIES} {SERVER_TLV} {FAR_SERVER_TLV}",
    ),
    (enrp.InitTakeover(SENDER, RECEIVER, TARGET), f"07 00 0010 {PARTIES} 92a3b4c5"),
    (enrp.InitTakeoverAck(SENDER, RECEIVER, TARGET), f"08 00 0010 {PARTIES} 92a3b4c5"),
    (enrp.TakeoverServer(SENDER, RECEIVER, TARGET), f"09 00 0010 {PARTIES} 92a3b4c5"),
    (enrp.Error(SENDER, RECEIVER, (ErrorCause(6),)), f"0a 00 0014 {PARTIES} 000c 0008 0006 0004"),
]

TRANSPORTS: list[tuple[UserTransport, str]] = [
    (DccpTransport(5000, 0x41424344, "10.11.12.1"), f"0003 0014 1388 0000 41424344 {IPV4}"),
    (SctpTransport(7001, 1, ("2001:db8::1", "10.11.12.1")), f"0004 0024 1b59 0001 {IPV6} {IPV4}"),
    (TcpTransport(80, "2001:db8::1"), f"0005 001c 0050 0000 {IPV6}"),
    (UdpTransport(53, "10.11.12.1"), f"0006 0010 0035 0000 {IPV4}"),
    (UdpLiteTransport(53, "10.11.12.1"), f"0007 0010 0035 0000 {IPV4}"),
    (OpaqueTransport(b"tipc:"), "0010 0009 746970633a 000000"),
    (OpaqueTransport(b""), "0010 0004"),
]


class Messages(SynchronousTestCase):
    """Each message has the bytes of its figure, and these bytes are read as the message."""

    @rfc("5354", "2", "MUST be in network byte order")
    @rfc("5354", "3", "MUST be a multiple of 4")
    @rfc("5354", "4", "MUST be a multiple of 4", "MUST pad the message with all")
    def test_asap(self) -> None:
        for message, text in ASAP:
            data = bytes.fromhex(text)
            self.assertEqual(asap.encode(message).hex(" ", 4), data.hex(" ", 4), message)
            self.assertEqual(asap.decode(data), Decoded(message))
        self.assertEqual({type(message) for message, _ in ASAP}, set(asap.MESSAGES))

    @rfc("5353", "2", "MUST be transmitted in network byte")
    @rfc("5354", "2", "MUST be in network byte order")
    def test_enrp(self) -> None:
        for message, text in ENRP:
            data = bytes.fromhex(text)
            self.assertEqual(enrp.encode(message).hex(" ", 4), data.hex(" ", 4), message)
            self.assertEqual(enrp.decode(data), Decoded(message))
        self.assertEqual({type(message) for message, _ in ENRP}, set(enrp.MESSAGES))

    def test_final_padding_may_be_missing(self) -> None:
        self.assertEqual(asap.decode(bytes.fromhex("05 80 000d 0009 0009 4563686f35")).message, ASAP[7][0])

    def test_update_actions_that_are_reserved_are_kept(self) -> None:
        update = enrp.HandleUpdate(1, 2, 0x1234, HANDLE, ELEMENT)
        self.assertEqual(enrp.decode(enrp.encode(update)).message, update)

    def test_update_actions_have_names(self) -> None:
        message = enrp.decode(enrp.encode(enrp.HandleUpdate(1, 2, 1, HANDLE, ELEMENT))).message
        assert isinstance(message, enrp.HandleUpdate)
        self.assertIs(message.action, enrp.UpdateAction.DEL_PE)


class Parameters(SynchronousTestCase):
    """Parameters that many messages share."""

    @rfc("5354", "2", "MUST be in network byte order")
    def test_every_transport(self) -> None:
        for transport, text in TRANSPORTS:
            element = PoolElementParameter(1, 2, 3, transport, PolicyParameter(1))
            tlv = encode_pool_element(element)
            self.assertEqual(tlv[16:-8].hex(" ", 4), bytes.fromhex(text).hex(" ", 4))
            self.assertEqual(decode_pool_element(tlv), element)

    @rfc("5354", "3.3", 'MUST always be treated as a "Data')
    @rfc("5354", "3.5", 'MUST always be treated as a "Data')
    @rfc("5354", "3.6", 'MUST always be treated as a "Data')
    @rfc("5354", "3.7", 'MUST always be treated as a "Data')
    def test_what_transports_have_in_common(self) -> None:
        for transport, text in TRANSPORTS:
            self.assertEqual(transport.TYPE, int(text[:4], 16))
            self.assertEqual(transport.use, 1 if isinstance(transport, SctpTransport) else 0)
            self.assertIsInstance(transport.addresses, tuple)
        self.assertEqual(OpaqueTransport(b"x").addresses, ())
        self.assertEqual(TcpTransport(80, "10.11.12.1").addresses, ("10.11.12.1",))

    @rfc("5354", "3.5", 'MUST always be treated as a "Data')
    def test_reserved_fields_of_a_transport_are_ignored(self) -> None:
        tlv = bytes.fromhex(ELEMENT_TLV.replace("0050 0000", "0050 0001"))
        self.assertEqual(decode_pool_element(tlv), ELEMENT)

    @rfc("5354", "3.8", "MUST use the following general parameter")
    def test_pool_element(self) -> None:
        for element, text in ((ELEMENT, ELEMENT_TLV), (FULL_ELEMENT, FULL_ELEMENT_TLV)):
            self.assertEqual(encode_pool_element(element).hex(" ", 4), bytes.fromhex(text).hex(" ", 4))
            self.assertEqual(decode_pool_element(bytes.fromhex(text)), element)

    @rfc("5354", "3", "MUST be a multiple of 4", "MUST pad the parameter at the end")
    @rfc("5354", "3.8", "MUST use the following general parameter")
    def test_odd_policy_data_are_padded_and_kept(self) -> None:
        element = PoolElementParameter(1, 2, 3, ELEMENT.user_transport, PolicyParameter(0x80000001, b"abcde"))
        tlv = encode_pool_element(element)
        self.assertEqual(tlv[2:4].hex(), "002d")
        self.assertEqual(tlv[-16:].hex(" ", 4), "0008000d 80000001 61626364 65000000")
        self.assertEqual(decode_pool_element(tlv), element)

    def test_scope_of_an_address_stays_at_home(self) -> None:
        element = PoolElementParameter(1, 2, 3, TcpTransport(80, "fe80::1%eth0"), PolicyParameter(1))
        self.assertEqual(decode_pool_element(encode_pool_element(element)).user_transport.addresses, ("fe80::1",))

    def test_messages_are_values(self) -> None:
        one, other = (asap.Registration(HANDLE, FULL_ELEMENT) for _ in range(2))
        self.assertEqual(hash(one), hash(other))
        with self.assertRaises(AttributeError):
            one.handle = b"other"  # type: ignore[misc]
        with self.assertRaises(AttributeError):
            one.element.life = 1  # type: ignore[misc]
        self.assertEqual(repr(asap.Cookie(b"x")), "Cookie(cookie=b'x')")
        self.assertEqual(asap.HandleResolution(handle=b"x", items=2), asap.HandleResolution(b"x", False, 2))


class StoredBytes(SynchronousTestCase):
    """Answers made of stored bytes."""

    def test_same_as_from_objects(self) -> None:
        for accepted in (False, True):
            message = asap.HandleResolutionResponse(HANDLE, PolicyParameter(1), (ELEMENT, FULL_ELEMENT), accepted)
            elements = [encode_pool_element(element) for element in message.elements]
            data = asap.encode_handle_resolution_response(HANDLE, encode_policy(PolicyParameter(1)), elements, accepted)
            self.assertEqual(data, asap.encode(message))

    def test_without_policy_and_elements(self) -> None:
        data = asap.encode_handle_resolution_response(HANDLE, b"", [])
        self.assertEqual(data, asap.encode(asap.HandleResolutionResponse(HANDLE)))

    def test_never_longer_than_a_length_holds(self) -> None:
        for size in range(40, 48):
            element = PoolElementParameter(1, 2, 3, ELEMENT.user_transport, PolicyParameter(1, bytes(size)))
            tlv = encode_pool_element(element)
            data = asap.encode_handle_resolution_response(HANDLE, encode_policy(PolicyParameter(1)), [tlv] * 2000)
            length = int.from_bytes(data[2:4], "big")
            message = asap.decode(data).message
            assert isinstance(message, asap.HandleResolutionResponse)
            self.assertTrue(0 <= 65535 - length < len(tlv))
            self.assertEqual(message.elements, (element,) * ((65535 - 4 - 12 - 8 + 3) // len(tlv)))

    def test_handle_too_long(self) -> None:
        with self.assertRaises(ValueError):
            asap.encode_handle_resolution_response(bytes(65536), b"", [])
