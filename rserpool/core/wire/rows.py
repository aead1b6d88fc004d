"""Handle tables in rows: elements that are in the bytes that we would write need not be decoded (RFC 5353 section 2.3).

Who joins a scope gets all its elements, and keeps each as bytes. Nearly all serve at one IPv4 address, and speak ASAP
at one: of these a row tells what must be known beside the bytes. The others are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Identity
from rserpool.core.wire.enrp import HandleTableResponse, HandleUpdate, UpdateAction
from rserpool.core.wire.enrp_takeovers import parties
from rserpool.core.wire.parameters import PoolElementParameter, decode_element, decode_pool_element
from rserpool.core.wire.private import ENCAPSULATION, ENCAPSULATION_VERSION, decode_owner, encode_framing, encode_owner
from rserpool.core.wire.tlv import (
    AT_ONE_IPV4,
    HEADER,
    IPV4_ADDRESS,
    MOST_ELEMENTS,
    POLICY,
    POOL_ELEMENT,
    POOL_HANDLE,
    SCTP_TRANSPORT,
    parameters,
)

LONGEST: Final = 512
"""Bytes: what is longer is decoded."""
_REJECTED = _SUGGESTED = 0x01
_MORE = 0x02
_header = HEADER.unpack_from
_IPV4: Final = IPV4_ADDRESS << 16 | 8
_BEGIN: Final = Struct("!4xIIiI2xHI4sHHI")
_ASAP: Final = Struct("!I4xI4x")
_ASAP_IPV4: Final = SCTP_TRANSPORT << 16 | 16, _IPV4
_ENCAPSULATED: Final = HEADER.pack(ENCAPSULATION, 8) + bytes((ENCAPSULATION_VERSION, 0))
_NO_PORT: Final = bytes(2)
_FRAMED: Final = encode_framing(1)


class Row(NamedTuple):
    """One element.

    @ivar address: the IPv4 address of its user transport, in 4 bytes.
    @ivar wire: its Pool Element parameter as L{encode_pool_element<rserpool.core.wire.parameters.encode_pool_element>}
        writes it, without the owner.
    """

    identifier: int
    home: int
    life: int
    transport_type: int
    transport_use: int
    address: bytes
    policy_type: int
    policy_data: bytes
    owner: Identity | None
    wire: bytes

    def parameter(self) -> PoolElementParameter:
        """The same, decoded."""
        return replace(decode_pool_element(self.wire), owner=self.owner)


Rows: TypeAlias = list[tuple[bytes, Sequence[Row | PoolElementParameter]]]
"""Pool handles, and elements of the pool."""


@frozen
class HandleTableRows(HandleTableResponse):
    """ENRP_HANDLE_TABLE_RESPONSE in rows; it has no C{entries}."""

    rows: Rows | tuple[()] = ()


@frozen
class RowUpdate(HandleUpdate):
    """ENRP_HANDLE_UPDATE whose element is a row."""

    element: Any


def rows_of(message: HandleTableResponse) -> Rows:
    """Its elements, in rows or decoded."""
    if isinstance(message, HandleTableRows):
        return list(message.rows)
    return [(entry.handle, entry.elements) for entry in message.entries]


def table_in_rows(data: bytes) -> HandleTableRows | None:
    """An ENRP_HANDLE_TABLE_RESPONSE that gives elements; None for one that does not, and for one about which its
    sender is to be told anything: L{enrp.decode<rserpool.core.wire.enrp.decode>} it."""
    length = int.from_bytes(data[2:4], "big")
    if data[:1] != _TYPE or data[1] & _REJECTED or not 12 <= length <= len(data) <= length + 3:
        return None
    rows: Rows = []
    here: list[Row | PoolElementParameter] = []
    report: list[bytes] = []
    count = 0
    try:
        for kind, start, stop in parameters(data, 12, length):
            if kind == POOL_ELEMENT and rows:
                count += 1
                here.append(_row(data, start, stop) or decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE:
                here = []
                rows.append((data[start + 4 : stop], here))
            else:
                return None
    except WireError:
        return None
    if report or count > MOST_ELEMENTS:
        return None
    return HandleTableRows(*parties(data), (), bool(data[1] & _MORE), False, rows)


def update_in_a_row(data: bytes) -> RowUpdate | None:
    """An ENRP_HANDLE_UPDATE about an element that can be a row; None for any other, and for one that says more."""
    length = int.from_bytes(data[2:4], "big")
    if data[:1] != _UPDATE or not 60 <= length <= len(data) <= length + 3:
        return None
    kind, size = _header(data, 16)
    place = 16 + size + 3 & ~3
    if kind != POOL_HANDLE or size < 4 or place + 40 > length:
        return None
    kind, rest = _header(data, place)
    action = int.from_bytes(data[12:14], "big")
    if kind != POOL_ELEMENT or place + rest != length or action >= len(UpdateAction):
        return None
    row = _row(data, place, length)
    if row is None:
        return None
    return RowUpdate(*parties(data), UpdateAction(action), data[20 : 16 + size], row, bool(data[1] & _SUGGESTED))


def _row(data: bytes, start: int, stop: int) -> Row | None:
    """A Pool Element parameter as a row; None if it must be decoded."""
    if not 40 <= stop - start <= LONGEST:
        return None
    identifier, home, life, kind, use, inner, address, policy, length, number = _BEGIN.unpack_from(data, start)
    transport = AT_ONE_IPV4.get(kind)
    if transport is None or inner != _IPV4 or (use and transport != SCTP_TRANSPORT):
        return None
    behind = start + 32 + length
    if policy != POLICY or length < 8 or length & 3 or behind > stop:
        return None
    end = _end(data, behind, stop)
    owner, wire = None, data[start:end]
    if end < stop:
        owner = decode_owner(data, end, stop)
        if owner is None or encode_owner(owner) != data[end:stop]:
            return None
        wire = HEADER.pack(POOL_ELEMENT, end - start) + wire[4:]
    return Row(identifier, home, life, transport, use, address, number, data[start + 40 : behind], owner, wire)


def _end(data: bytes, at: int, stop: int) -> int:
    """Where all ends but the owner: behind the ASAP transport, if there is one, its UDP port, and the framing."""
    if stop - at >= 16 and _ASAP.unpack_from(data, at) == _ASAP_IPV4:
        at += 16
    if data[at : at + 6] == _ENCAPSULATED and stop - at >= 8 and data[at + 6 : at + 8] != _NO_PORT:
        at += 8
    if data[at : at + 8] == _FRAMED and stop - at >= 8:
        at += 8
    return at


_TYPE: Final = bytes((HandleTableResponse.TYPE,))
_UPDATE: Final = bytes((HandleUpdate.TYPE,))
