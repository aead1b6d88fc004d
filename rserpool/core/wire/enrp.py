"""The messages of ENRP (RFC 5353 section 2). Each begins with the identifiers of sender and receiver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import islice
from struct import Struct
from typing import ClassVar, Final, Self, TypeAlias, get_args

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Identity
from rserpool.core.wire import private, tlv
from rserpool.core.wire.causes import ErrorCause, decode_operation_error, encode_operation_error
from rserpool.core.wire.enrp_takeovers import SERVERS, Between, InitTakeover, InitTakeoverAck, TakeoverServer, parties
from rserpool.core.wire.frame import decode_message, encode_message, message
from rserpool.core.wire.orders import (
    DRAINERS,
    LEAVING,
    ORDER,
    ORDER_ANSWER,
    Drainer,
    Ordering,
    decode_answer,
    decode_drainers,
    decode_leaving,
    decode_order,
    encode_drainers,
    encode_leaving,
)
from rserpool.core.wire.parameters import (
    PoolElementParameter,
    ServerInformation,
    decode_element,
    decode_server_information,
    pool_element,
    pool_handle,
    server_information,
)
from rserpool.core.wire.tlv import (
    POOL_ELEMENT,
    POOL_HANDLE,
    SERVER_INFORMATION,
    Decoded,
    behind,
    handle_and,
    missing,
    once,
    parameter,
    parameters,
    unexpected,
    value_u16,
)

__all__ = [
    "MESSAGES",
    "Decoded",
    "Error",
    "HandleTableRequest",
    "HandleTableResponse",
    "HandleUpdate",
    "InitTakeover",
    "InitTakeoverAck",
    "ListRequest",
    "ListResponse",
    "Message",
    "PoolEntry",
    "Presence",
    "TakeoverServer",
    "UpdateAction",
    "decode",
    "encode",
    "encode_handle_table_response",
    "encode_handle_update",
]

_FLAG: Final = 0x01
_MORE_TO_SEND: Final = 0x02
_PRIVATE: Final = 0x80
_UPDATE: Final = Struct("!IIHH")
_U16: Final = Struct("!H")
_IN_PRESENCE: Final = frozenset(
    {tlv.PE_CHECKSUM, SERVER_INFORMATION, private.OWNER, ORDER, ORDER_ANSWER, DRAINERS, LEAVING}
)
_EncodedPools: TypeAlias = Iterable[tuple[bytes, Sequence[bytes]]]


@frozen
class Presence(Between):
    """ENRP_PRESENCE (RFC 5353 section 2.1).

    @ivar checksum: PE checksum of the sender's own elements (RFC 5353 section 3.6.2).
    @ivar reply_required: bit 0x01, which the figure of the RFC leaves out.
    @ivar private: whether the sender knows our private parameters; bit 0x80, which others ignore.
    @ivar identity: as whom the sender proves itself where it dials; told over TLS alone.
    @ivar order: what an operator wants of an element of the receiver, or what came of that (private).
    @ivar drainers: the elements of the sender that drain, and are in no pool (private).
    @ivar leaving: whether the sender has handed all its elements over, and ends (private).
    """

    TYPE: ClassVar[int] = 0x01
    checksum: int | None = None
    information: ServerInformation | None = None
    reply_required: bool = False
    private: bool = False
    identity: Identity | None = None
    order: Ordering | None = None
    drainers: tuple[Drainer, ...] = ()
    leaving: bool = False

    def _encode(self) -> bytes:
        values = [] if self.checksum is None else [parameter(tlv.PE_CHECKSUM, _U16.pack(self.checksum))]
        if self.information is not None:
            values.append(server_information(self.information))
        if self.identity is not None:
            values.append(private.padded_owner(self.identity))
        if self.order is not None:
            values.append(self.order.encode())
        if self.drainers:
            values.append(encode_drainers(self.drainers))
        if self.leaving:
            values.append(encode_leaving())
        return self._made(_FLAG * self.reply_required | _PRIVATE * self.private, values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        found = once(data, 12, end, _IN_PRESENCE, report)
        checksum = value_u16(data, found[tlv.PE_CHECKSUM], "PE Checksum") if tlv.PE_CHECKSUM in found else None
        place, owner = found.get(SERVER_INFORMATION), found.get(private.OWNER)
        information = decode_server_information(data, *place, report) if place else None
        identity = private.decode_owner(data, *owner) if owner else None
        order = decode_order(data, found.get(ORDER)) or decode_answer(data, found.get(ORDER_ANSWER))
        drainers, leaving = decode_drainers(data, found.get(DRAINERS)), decode_leaving(data, found.get(LEAVING))
        flagged = bool(flags & _FLAG), bool(flags & _PRIVATE)
        return cls(*parties(data), checksum, information, *flagged, identity, order, drainers, leaving)


@frozen
class HandleTableRequest(Between):
    """ENRP_HANDLE_TABLE_REQUEST (RFC 5353 section 2.2).

    @ivar own_children_only: the W flag: only elements whose home is the receiver.
    """

    TYPE: ClassVar[int] = 0x02
    own_children_only: bool = False

    def _encode(self) -> bytes:
        return self._made(_FLAG if self.own_children_only else 0, ())

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        once(data, 12, end, frozenset(), report)
        return cls(*parties(data), bool(flags & _FLAG))


@frozen
class PoolEntry:
    """One pool, or a part of it, in a handle table (RFC 5353 section 2.3)."""

    handle: bytes
    elements: tuple[PoolElementParameter, ...]


@frozen
class HandleTableResponse(Between):
    """ENRP_HANDLE_TABLE_RESPONSE (RFC 5353 section 2.3).

    @ivar more_to_send: the M flag; C{rejected} is the R flag.
    """

    TYPE: ClassVar[int] = 0x03
    entries: tuple[PoolEntry, ...] = ()
    more_to_send: bool = False
    rejected: bool = False

    def _encode(self) -> bytes:
        entries = [(entry.handle, list(map(pool_element, entry.elements))) for entry in self.entries]
        more, rejected = self.more_to_send, self.rejected
        return encode_handle_table_response(self.sender, self.receiver, entries, more=more, rejected=rejected)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        entries: list[tuple[bytes, list[PoolElementParameter]]] = []
        for kind, start, stop in tlv.no_more_than(tlv.MOST_ELEMENTS, POOL_ELEMENT, parameters(data, 12, end)):
            if kind == POOL_ELEMENT and entries:
                entries[-1][1].append(decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE:
                entries.append((data[start + 4 : stop], []))
            else:
                unexpected(data, kind, start, stop, report)
        pools = tuple(PoolEntry(handle, tuple(elements)) for handle, elements in entries)
        return cls(*parties(data), pools, bool(flags & _MORE_TO_SEND), bool(flags & _FLAG))


class UpdateAction(IntEnum):
    """What an ENRP_HANDLE_UPDATE asks its receiver to do with the element."""

    ADD_PE = 0x0000
    DEL_PE = 0x0001


_ACTIONS: Final = tuple(UpdateAction)


@frozen
class HandleUpdate(Between):
    """ENRP_HANDLE_UPDATE (RFC 5353 section 2.4).

    @ivar action: an L{UpdateAction}; a plain C{int} where a peer sent one that is reserved.
    @ivar takeover_suggested: whether the sender would like the receiver to become the element's home
        (draft-dreibholz-rserpool-enrp-takeover, flag 0x01).
    @ivar evicted: for how many seconds the element is refused from now on, by an operator's will (private).
    @ivar dead: whether it was removed because it did not answer (private: Dead Elements).
    """

    TYPE: ClassVar[int] = 0x04
    action: UpdateAction | int
    handle: bytes
    element: PoolElementParameter
    takeover_suggested: bool = False
    evicted: int = 0
    dead: bool = False

    def _encode(self) -> bytes:
        element, suggested = pool_element(self.element), self.takeover_suggested
        more = private.encode_evicted(self.evicted) if self.evicted else b""
        more += private.encode_dead((self.element.identifier,)) if self.dead else b""
        return encode_handle_update(self.sender, self.receiver, self.action, self.handle, element, suggested, more)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        if end < 16:
            raise WireError("the update action is missing", information=data[:end])
        sender, receiver, action, _ = _UPDATE.unpack_from(data, 4)
        handle, place = handle_and(data, 16, end, POOL_ELEMENT, report)
        if action < len(_ACTIONS):
            action = _ACTIONS[action]
        element = decode_element(data, *(place or missing("Pool Element")), report)
        evicted = private.decode_evicted(data, behind(data, place, end, private.EVICTED))
        told = behind(data, place, end, private.DEAD)
        dead = told is not None and element.identifier in private.decode_dead(data, *told)
        return cls(sender, receiver, action, handle, element, bool(flags & _FLAG), evicted, dead)


@frozen
class ListRequest(Between):
    """ENRP_LIST_REQUEST (RFC 5353 section 2.5)."""

    TYPE: ClassVar[int] = 0x05


@frozen
class ListResponse(Between):
    """ENRP_LIST_RESPONSE (RFC 5353 section 2.6), with at most 256 servers; C{rejected} is the R flag."""

    TYPE: ClassVar[int] = 0x06
    servers: tuple[ServerInformation, ...] = ()
    rejected: bool = False

    def _encode(self) -> bytes:
        return self._made(_FLAG if self.rejected else 0, [server_information(server) for server in self.servers])

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        servers = []
        for kind, start, stop in islice(parameters(data, 12, end), tlv.MOST_SERVERS):
            if kind == SERVER_INFORMATION:
                servers.append(decode_server_information(data, start, stop, report))
            else:
                unexpected(data, kind, start, stop, report)
        return cls(*parties(data), tuple(servers), bool(flags & _FLAG))


@frozen
class Error(Between):
    """ENRP_ERROR (RFC 5353 section 2.10).

    @ivar causes: at least one.
    """

    TYPE: ClassVar[int] = 0x0A
    causes: tuple[ErrorCause, ...]

    def _encode(self) -> bytes:
        return self._made(0, (encode_operation_error(self.causes),))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        place = once(data, 12, end, frozenset({tlv.OPERATION_ERROR}), report).get(tlv.OPERATION_ERROR)
        return cls(*parties(data), decode_operation_error(data, *(place or missing("Operation Error"))))


Message: TypeAlias = (
    Presence
    | HandleTableRequest
    | HandleTableResponse
    | HandleUpdate
    | ListRequest
    | ListResponse
    | InitTakeover
    | InitTakeoverAck
    | TakeoverServer
    | Error
)

MESSAGES: Final[tuple[type[Message], ...]] = get_args(Message)
"""All message classes; the type of each is its place, counted from 1."""


def encode(message: Message) -> bytes:
    """The bytes of a message, padded to a multiple of 4; the length in its header leaves the final padding out.

    @raise ValueError: if a value does not fit its field, or the message would be longer than 65,535 bytes.
    """
    return encode_message(message)


def decode(data: bytes) -> Decoded[Message]:
    """One message from its bytes; up to 3 bytes of final padding are ignored.

    @raise WireError: if these bytes are no ENRP message. It says by C{report} whether the sender is to be told:
        never about an ENRP_ERROR.
    """
    return decode_message(data, MESSAGES, 12)


def encode_handle_update(
    sender: int, receiver: int, action: int, handle: bytes, element: bytes, suggested: bool = False, more: bytes = b""
) -> bytes:
    """An ENRP_HANDLE_UPDATE whose Pool Element parameter is encoded already, and what is behind it."""
    fixed, parameters = _UPDATE.pack(sender, receiver, action, 0), (pool_handle(handle), element)
    return message(HandleUpdate.TYPE, _FLAG if suggested else 0, fixed, (*parameters, more) if more else parameters)


def encode_handle_table_response(
    sender: int, receiver: int, pools: _EncodedPools, *, more: bool = False, rejected: bool = False
) -> bytes:
    """An ENRP_HANDLE_TABLE_RESPONSE whose Pool Element parameters are encoded already."""
    flags = (_FLAG if rejected else 0) | (_MORE_TO_SEND if more else 0)
    parameters = [part for handle, elements in pools for part in (pool_handle(handle), *elements)]
    return message(HandleTableResponse.TYPE, flags, SERVERS.pack(sender, receiver), parameters)
