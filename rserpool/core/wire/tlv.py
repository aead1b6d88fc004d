"""Parameters: type, length, value, padding, and what to do with unknown ones (RFC 5354 sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, Generic, NoReturn, TypeVar

from rserpool.core.errors import CauseCode, WireError
from rserpool.core.frozen import frozen

M_co = TypeVar("M_co", covariant=True)

LONGEST: Final = 65535
"""The most that a 16-bit length holds: bytes of a message or parameter without its final padding."""
LONGEST_INFORMATION: Final = (LONGEST - 20 - 4) & ~3
"""The most bytes of cause-specific information that still fit an ENRP_ERROR of one cause; what is longer is cut."""
MOST_ELEMENTS: Final = 512
"""So many elements may be in one ENRP_HANDLE_TABLE_RESPONSE: more would keep a registrar from everything else."""
MOST_SERVERS: Final = 256
"""So many servers are read of one ENRP_LIST_RESPONSE."""

# Parameter types (RFC 5354 section 3, table 1)
IPV4_ADDRESS: Final = 0x1
IPV6_ADDRESS: Final = 0x2
DCCP_TRANSPORT: Final = 0x3
SCTP_TRANSPORT: Final = 0x4
TCP_TRANSPORT: Final = 0x5
UDP_TRANSPORT: Final = 0x6
UDP_LITE_TRANSPORT: Final = 0x7
POLICY: Final = 0x8
POOL_HANDLE: Final = 0x9
POOL_ELEMENT: Final = 0xA
SERVER_INFORMATION: Final = 0xB
OPERATION_ERROR: Final = 0xC
COOKIE: Final = 0xD
PE_IDENTIFIER: Final = 0xE
PE_CHECKSUM: Final = 0xF
OPAQUE_TRANSPORT: Final = 0x10
HANDLE_RESOLUTION_OPTION: Final = 0x803F
"""draft-dreibholz-rserpool-asap-hropt: how many elements a user wants."""

AT_ONE_IPV4: Final = {
    kind << 16 | 16: kind for kind in (SCTP_TRANSPORT, TCP_TRANSPORT, UDP_TRANSPORT, UDP_LITE_TRANSPORT)
}
"""Transports at one IPv4 address, by their header: type and length."""

HEADER: Final = Struct("!HH")
U32: Final = Struct("!I")
_U16: Final = Struct("!H")
_U32_PARAMETER: Final = Struct("!HHI")
PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""Padding by length modulo 4."""
_unpack_header = HEADER.unpack_from


@frozen
class Decoded(Generic[M_co]):
    """A message, and what its sender is to be told.

    @ivar unrecognized: parameters that were skipped and are to be reported (high bits 11), as complete TLVs without
        padding; L{rserpool.core.wire.causes.unrecognized_parameters} makes error causes of them.
    """

    message: M_co
    unrecognized: tuple[bytes, ...] = ()


def parameter(kind: int, value: bytes) -> bytes:
    """One parameter: type, length, value, padding.

    @raise struct.error: if it is longer than a 16-bit length holds.
    """
    length = len(value) + 4
    return HEADER.pack(kind, length) + value + PADDING[length & 3]


def parameter_u32(kind: int, number: int) -> bytes:
    """One parameter whose value is an unsigned 32-bit number.

    @raise struct.error: if it does not fit.
    """
    return _U32_PARAMETER.pack(kind, 8, number)


def container(kind: int, fixed: bytes, nested: Sequence[bytes]) -> bytes:
    """A parameter that holds parameters.

    Its length counts the padding between them, but not that of the last one (RFC 5354 section 2).

    @param nested: encoded parameters, padded; at least one.
    @raise struct.error: if it is longer than a 16-bit length holds.
    """
    value = b"".join(nested)
    return HEADER.pack(kind, 4 + len(fixed) + len(value) - (-nested[-1][3] & 3)) + fixed + value


def whole(tlv: bytes) -> bytes:
    """An offending TLV as cause-specific information: as much as fits, with that length; empty if it is none."""
    tlv = tlv[:LONGEST_INFORMATION]
    return tlv[:2] + len(tlv).to_bytes(2, "big") + tlv[4:] if len(tlv) >= 4 else b""


def no_more_than(most: int, of: int, found: Iterator[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The same parameters.

    @raise WireError: if there are more of the type C{of}.
    """
    for each in found:
        most -= each[0] == of
        if most < 0:
            raise WireError(f"there are too many parameters 0x{of:x}", cause=CauseCode.LACK_OF_RESOURCES)
        yield each


def parameters(data: bytes, offset: int, end: int, outer: int = 0) -> Iterator[tuple[int, int, int]]:
    """The parameters between two offsets, without looking into them: type, offset, and end without padding.

    @param offset: a multiple of 4.
    @param outer: where the parameter begins that these are in; the message by default.
    @raise WireError: if one does not fit.
    """
    while offset < end:
        if end - offset < 4:
            raise WireError("a parameter header is cut short", information=data[outer:end])
        kind, length = _unpack_header(data, offset)
        stop = offset + length
        if length < 4 or stop > end:
            raise WireError(
                f"parameter 0x{kind:x} says {length} bytes where {end - offset} are left",
                information=data[outer:end],
            )
        yield kind, offset, stop
        offset = (stop + 3) & ~3


def unexpected(data: bytes, kind: int, offset: int, stop: int, report: list[bytes]) -> None:
    """A parameter that has no meaning where it stands: apply the rule of its two high bits (RFC 5354 section 3).

    A parameter that RFC 5354 does name, but not here, makes the message invalid.

    @param report: where parameters to be reported are added.
    @raise WireError: if the message must be discarded.
    """
    rule = kind >> 14
    if rule == 2:
        return
    tlv = whole(data[offset:stop])
    if rule == 3:
        report.append(tlv)
        return
    if IPV4_ADDRESS <= kind <= OPAQUE_TRANSPORT:
        raise WireError(f"parameter 0x{kind:x} does not belong here, or stands here twice", information=tlv)
    raise WireError(
        f"unknown parameter 0x{kind:x}",
        cause=CauseCode.UNRECOGNIZED_PARAMETER,
        information=tlv,
        report=rule == 1,
    )


def once(data: bytes, offset: int, end: int, kinds: frozenset[int], report: list[bytes]) -> dict[int, tuple[int, int]]:
    """Find parameters that stand at most once each, in any order.

    @return: offset and end, without padding, of each by its type.
    @raise WireError: if one stands twice, or another is in the way.
    """
    found: dict[int, tuple[int, int]] = {}
    for kind, start, stop in parameters(data, offset, end):
        if kind in kinds and kind not in found:
            found[kind] = start, stop
        else:
            unexpected(data, kind, start, stop, report)
    return found


def handle_and(
    data: bytes, offset: int, end: int, second: int, report: list[bytes]
) -> tuple[bytes, tuple[int, int] | None]:
    """A Pool Handle parameter, and at most one other.

    @param second: type of the other parameter.
    @return: the handle; offset and end, without padding, of the other one, C{None} if it is absent.
    @raise WireError: if there is no handle, one stands twice, or another is in the way.
    """
    if end - offset > 4:
        # The usual: these two in this order, and nothing else.
        kind, length = _unpack_header(data, offset)
        stop = offset + length
        start = (stop + 3) & ~3
        if kind == POOL_HANDLE and length >= 4:
            if stop == end:
                return data[offset + 4 : stop], None
            if start + 4 <= end:
                kind, length = _unpack_header(data, start)
                if kind == second and start + length == end:
                    return data[offset + 4 : stop], (start, end)
    found = once(data, offset, end, frozenset((POOL_HANDLE, second)), report)
    offset, stop = found.get(POOL_HANDLE) or missing("Pool Handle")
    return data[offset + 4 : stop], found.get(second)


def behind(data: bytes, place: tuple[int, int] | None, end: int, kind: int) -> tuple[int, int] | None:
    """A parameter of this type behind another one; None, as it is most of the time, if nothing is there.

    @param place: offset and end, without padding, of the other one.
    """
    if place is None:
        return None
    offset = (place[1] + 3) & ~3
    if offset >= end:
        return None
    return next(((start, stop) for found, start, stop in parameters(data, offset, end) if found == kind), None)


def missing(name: str) -> NoReturn:
    """A parameter that must be there is not.

    @raise WireError: always.
    """
    raise WireError(f"the {name} parameter is missing")


def value_u32(data: bytes, place: tuple[int, int], name: str) -> int:
    """The value of a parameter that holds one unsigned 32-bit number.

    @raise WireError: if it has another size.
    """
    start, stop = place
    if stop - start != 8:
        raise WireError(f"the {name} parameter has {stop - start} bytes instead of 8", information=data[start:stop])
    number: int = U32.unpack_from(data, start + 4)[0]
    return number


def value_u16(data: bytes, place: tuple[int, int], name: str) -> int:
    """The value of a parameter that holds one unsigned 16-bit number.

    @raise WireError: if it has another size.
    """
    start, stop = place
    if stop - start != 6:
        raise WireError(f"the {name} parameter has {stop - start} bytes instead of 6", information=data[start:stop])
    number: int = _U16.unpack_from(data, start + 4)[0]
    return number
