"""Registrations and deregistrations of the usual layout, read without a message being made of them (RFC 5352 sections
2.2.1 and 2.2.2).

Nearly all look alike: pool handle, element; an element has a transport at one IPv4 address, a policy, and perhaps a
session framing. What looks otherwise is L{decoded<rserpool.core.wire.asap.decode>}.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, TypeAlias

from rserpool.core.wire.asap_elements import Deregistration, DeregistrationResponse, RegistrationResponse
from rserpool.core.wire.private import SESSION_FRAMING_VERSION, encode_encapsulation, encode_framing
from rserpool.core.wire.tlv import (
    AT_ONE_IPV4,
    IPV4_ADDRESS,
    PADDING,
    PE_IDENTIFIER,
    POLICY,
    POOL_ELEMENT,
    POOL_HANDLE,
    SCTP_TRANSPORT,
)
from rserpool.core.wire.transports import SctpTransport, encode_transport

_BEGIN: Final = Struct("!HHI")
_NUMBER: Final = Struct("!II")
_ELEMENT: Final = Struct("!IIIiIHHI4sII")
_ELEMENT_HEAD: Final = Struct("!IIIi")
_RESPONSE: Final = Struct("!HH")

# What the header of a parameter is, type and length in one number; where it is not fixed, the length is to be added.
_HANDLE: Final = POOL_HANDLE << 16
_POOL_ELEMENT: Final = POOL_ELEMENT << 16
_POLICY: Final = POLICY << 16
_IDENTIFIER: Final = PE_IDENTIFIER << 16 | 8
_ADDRESS: Final = IPV4_ADDRESS << 16 | 8
_FRAMING: Final = encode_framing(SESSION_FRAMING_VERSION)
# The same of a message: type and flags.
_LEAVES: Final = Deregistration.TYPE << 8
_GRANTED: Final = RegistrationResponse.TYPE << 8
_LEFT: Final = bytes([DeregistrationResponse.TYPE, 0])

Coming: TypeAlias = tuple[bytes, bytes, int, int, int, int, int, bytes, int, bytes, bytes, bytes]
"""What a registration says: the pool's handle, and the parameter that it stands in; the PE identifier, the life; type,
port and use of the transport, and its address; type and data of the policy; both as they stand there; what follows."""


def registration(data: bytes) -> Coming | None:
    """What a registration says; None if it is not of the usual layout, or of nonsense."""
    size = len(data)
    if size < _BEGIN.size:
        return None
    _, length, head = _BEGIN.unpack_from(data)
    named = head - _HANDLE
    start = (named + 7) & ~3
    if length != size or named < 4 or start + _ELEMENT.size > size:
        return None
    element, identifier, _, life, transport, port, use, address, packed, policy, number = _ELEMENT.unpack_from(
        data, start
    )
    kind = AT_ONE_IPV4.get(transport)
    said = policy - _POLICY
    end = start + 32 + said
    more = data[end:]
    if (
        kind is None
        or element != _POOL_ELEMENT + size - start
        or address != _ADDRESS
        or said < 8
        or said & 3
        or end > size
        or (more and more != _FRAMING)
        or use > (kind == SCTP_TRANSPORT)
        or data[4 + named : start] != PADDING[named & 3]
    ):
        return None
    handle, stands, values = data[8 : 4 + named], data[4:start], data[start + 40 : end]
    return handle, stands, identifier, life, kind, port, use, packed, number, values, data[start + 16 : end], more


def deregistration(data: bytes) -> tuple[bytes, int] | None:
    """The handle and the PE identifier that a deregistration says; None if it is not of the usual layout, or drains."""
    size = len(data)
    if size < 20:
        return None
    kind, length, head = _BEGIN.unpack_from(data)
    named = head - _HANDLE
    start = (named + 7) & ~3
    if kind != _LEAVES or length != size or start + 8 != size or data[4 + named : start] != PADDING[named & 3]:
        return None
    header, identifier = _NUMBER.unpack_from(data, start)
    return (data[8 : 4 + named], identifier) if header == _IDENTIFIER else None


def control(transport: SctpTransport, encapsulation: int) -> bytes:
    """How the ASAP transport stands in a Pool Element, with its UDP port if that is not 0."""
    return encode_transport(transport) + (encode_encapsulation(encapsulation) if encapsulation else b"")


def element(identifier: int, home: int, life: int, told: bytes, control: bytes, more: bytes) -> bytes:
    """The Pool Element parameter, padded, as L{encode_pool_element<rserpool.core.wire.parameters.encode_pool_element>}
    makes it.

    @param told: user transport and policy, as the registration has them; C{more}: what follows them there.
    """
    value = told + control + more
    return _ELEMENT_HEAD.pack(_POOL_ELEMENT + 16 + len(value), identifier, home, life) + value


def granted(stands: bytes, identifier: int) -> bytes:
    """The response to a registration that is granted.

    @param stands: the Pool Handle parameter, padded.
    """
    return _RESPONSE.pack(_GRANTED, len(stands) + 12) + stands + _NUMBER.pack(_IDENTIFIER, identifier)


def left(data: bytes) -> bytes:
    """The response to a deregistration that was read here: it says the same."""
    return _LEFT + data[2:]
