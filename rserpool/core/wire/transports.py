"""Addresses and transport parameters (RFC 5354 sections 3.1 to 3.7 and 3.16)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from struct import Struct
from typing import ClassVar, Final, TypeAlias

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.wire.tlv import (
    DCCP_TRANSPORT,
    IPV4_ADDRESS,
    IPV6_ADDRESS,
    OPAQUE_TRANSPORT,
    SCTP_TRANSPORT,
    TCP_TRANSPORT,
    UDP_LITE_TRANSPORT,
    UDP_TRANSPORT,
    parameter,
    parameters,
    unexpected,
)

DATA_ONLY: Final = 0
DATA_PLUS_CONTROL: Final = 1
"""Transport Use of an SCTP transport (RFC 5354 section 3.4)."""

_HEAD: Final = Struct("!HHHH")
_FIXED: Final = Struct("!HH")
_DCCP_FIXED: Final = Struct("!HHI")
_ONE_IPV4: Final = Struct("!HHI4s")
_IPV4_HEADER: Final = IPV4_ADDRESS << 16 | 8


@frozen
class SctpTransport:
    """SCTP Transport (RFC 5354 section 3.4).

    Of every transport parameter:

    @cvar TYPE: its parameter type.
    @cvar kind: what people and programs are told: C{"sctp"}, C{"tcp"}, C{"udp"}, C{"udplite"}, C{"dccp"}, C{"opaque"}.
    @ivar port: the port; None where there is none.
    @ivar use: L{DATA_ONLY} or L{DATA_PLUS_CONTROL}.
    @ivar addresses: IP addresses as text; at least one where there is a port.
    """

    TYPE: ClassVar[int] = SCTP_TRANSPORT
    kind: ClassVar[str] = "sctp"
    port: int
    use: int
    addresses: tuple[str, ...]


class _AtOneAddress:
    """What all but SCTP have in common: one address, and no control channel."""

    __slots__ = ()
    use: ClassVar[int] = DATA_ONLY
    address: str

    @property
    def addresses(self) -> tuple[str, ...]:
        """That address, as L{SctpTransport} has its own."""
        return (self.address,)


@frozen
class TcpTransport(_AtOneAddress):
    """TCP Transport (RFC 5354 section 3.5)."""

    TYPE: ClassVar[int] = TCP_TRANSPORT
    kind: ClassVar[str] = "tcp"
    port: int
    address: str


@frozen
class UdpTransport(_AtOneAddress):
    """UDP Transport (RFC 5354 section 3.6)."""

    TYPE: ClassVar[int] = UDP_TRANSPORT
    kind: ClassVar[str] = "udp"
    port: int
    address: str


@frozen
class UdpLiteTransport(_AtOneAddress):
    """UDP-Lite Transport (RFC 5354 section 3.7)."""

    TYPE: ClassVar[int] = UDP_LITE_TRANSPORT
    kind: ClassVar[str] = "udplite"
    port: int
    address: str


@frozen
class DccpTransport(_AtOneAddress):
    """DCCP Transport (RFC 5354 section 3.3)."""

    TYPE: ClassVar[int] = DCCP_TRANSPORT
    kind: ClassVar[str] = "dccp"
    port: int
    service_code: int
    address: str


@frozen
class OpaqueTransport:
    """Opaque Transport (RFC 5354 section 3.16): bytes that only the users of a pool understand."""

    TYPE: ClassVar[int] = OPAQUE_TRANSPORT
    kind: ClassVar[str] = "opaque"
    port: ClassVar[None] = None
    use: ClassVar[int] = DATA_ONLY
    addresses: ClassVar[tuple[str, ...]] = ()
    data: bytes


UserTransport: TypeAlias = (
    SctpTransport | TcpTransport | UdpTransport | UdpLiteTransport | DccpTransport | OpaqueTransport
)

_ONE_ADDRESS: Final[dict[int, type[TcpTransport | UdpTransport | UdpLiteTransport]]] = {
    TCP_TRANSPORT: TcpTransport,
    UDP_TRANSPORT: UdpTransport,
    UDP_LITE_TRANSPORT: UdpLiteTransport,
}
TRANSPORTS: Final = frozenset({*_ONE_ADDRESS, SCTP_TRANSPORT, DCCP_TRANSPORT, OPAQUE_TRANSPORT})
"""Parameter types that may stand as User Transport."""


@lru_cache(maxsize=16384)
def encode_address(text: str) -> bytes:
    """An IPv4 or IPv6 Address parameter (RFC 5354 sections 3.1 and 3.2); a scope (C{%eth0}) is left out.

    @raise ValueError: if the text is no IP address.
    """
    address = ip_address(text)
    return parameter(IPV4_ADDRESS if address.version == 4 else IPV6_ADDRESS, address.packed)


@lru_cache(maxsize=16384)
def address_text(packed: bytes) -> str:
    """An IPv4 or IPv6 address of 4 or 16 bytes, as text."""
    if len(packed) == 4:
        return ".".join(map(str, packed))
    return str(IPv6Address(packed))


def encode_transport(transport: UserTransport) -> bytes:
    """A transport parameter, padded.

    @raise ValueError: if an address is none, or there is none.
    @raise struct.error: if a number does not fit.
    """
    if isinstance(transport, OpaqueTransport):
        return parameter(OPAQUE_TRANSPORT, transport.data)
    addresses = b"".join(map(encode_address, transport.addresses))
    if not addresses:
        raise ValueError("a transport needs an address")
    if isinstance(transport, DccpTransport):
        fixed = _DCCP_FIXED.pack(transport.port, 0, transport.service_code)
        return parameter(DCCP_TRANSPORT, fixed + addresses)
    return _HEAD.pack(transport.TYPE, 8 + len(addresses), transport.port, transport.use) + addresses


def decode_transport(data: bytes, start: int, stop: int, report: list[bytes]) -> UserTransport:
    """A transport parameter, whose type is one of L{TRANSPORTS}.

    @raise WireError: if it has no address, or more than one where RFC 5354 allows one.
    """
    kind = data[start + 1]
    if kind == SCTP_TRANSPORT:
        return decode_sctp_transport(data, start, stop, report)
    if kind == OPAQUE_TRANSPORT:
        return OpaqueTransport(data[start + 4 : stop])
    if kind == DCCP_TRANSPORT:
        addresses = _addresses(data, start, 12, stop, report)
        port, _, service_code = _DCCP_FIXED.unpack_from(data, start + 4)
        return DccpTransport(port, service_code, _only(addresses, data, start, stop))
    if stop - start == 16:
        # Nearly all there are: one IPv4 address.
        port, _, inner, packed = _ONE_IPV4.unpack_from(data, start + 4)
        if inner == _IPV4_HEADER:
            return _ONE_ADDRESS[kind](port, address_text(packed))
    addresses = _addresses(data, start, 8, stop, report)
    return _ONE_ADDRESS[kind](_FIXED.unpack_from(data, start + 4)[0], _only(addresses, data, start, stop))


def decode_sctp_transport(data: bytes, start: int, stop: int, report: list[bytes]) -> SctpTransport:
    """An SCTP Transport parameter.

    @raise WireError: if it has no address.
    """
    if stop - start == 16:
        # Nearly all there are: one IPv4 address.
        port, use, inner, packed = _ONE_IPV4.unpack_from(data, start + 4)
        if inner == _IPV4_HEADER:
            return SctpTransport(port, use, (address_text(packed),))
    addresses = _addresses(data, start, 8, stop, report)
    if not addresses:
        raise WireError("an SCTP transport has no address", information=data[start:stop])
    port, use = _FIXED.unpack_from(data, start + 4)
    return SctpTransport(port, use, tuple(addresses))


LONGEST_TRANSPORT: Final = 8_192
"""Bytes: a thousand IPv4 addresses, or four hundred of IPv6."""


def _addresses(data: bytes, start: int, fixed: int, stop: int, report: list[bytes]) -> list[str]:
    if stop - start < fixed:
        raise WireError("a transport parameter is cut short", information=data[start:stop])
    if stop - start > LONGEST_TRANSPORT:
        raise WireError("a transport parameter has too many addresses", information=data[start : start + 8])
    addresses = []
    for kind, offset, end in parameters(data, start + fixed, stop, start):
        if kind == IPV4_ADDRESS or kind == IPV6_ADDRESS:
            if end - offset != (8 if kind == IPV4_ADDRESS else 20):
                raise WireError("an address parameter has a wrong size", information=data[offset:end])
            addresses.append(address_text(data[offset + 4 : end]))
        else:
            unexpected(data, kind, offset, end, report)
    return addresses


def _only(addresses: list[str], data: bytes, start: int, stop: int) -> str:
    if len(addresses) != 1:
        raise WireError(f"a transport has {len(addresses)} addresses instead of one", information=data[start:stop])
    return addresses[0]
