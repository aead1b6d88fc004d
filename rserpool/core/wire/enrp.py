"""The messages of ENRP, and their bytes (RFC 5353 section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Final, Self, TypeAlias, get_args

from rserpool.core.errors import WireError
from rserpool.core.wire.causes import ErrorCause, decode_operation_error, encode_operation_error
from rserpool.core.wire.enrp_handles import (
    Between,
    HandleTableRequest,
    HandleTableResponse,
    HandleUpdate,
    PoolEntry,
    UpdateAction,
    encode_handle_table_response,
    encode_handle_update,
    parties,
)
from rserpool.core.wire.frame import decode_message, encode_message, message
from rserpool.core.wire.parameters import ServerInformation, decode_server_information, server_information
from rserpool.core.wire.tlv import (
    OPERATION_ERROR,
    PE_CHECKSUM,
    SERVER_INFORMATION,
    Decoded,
    missing,
    once,
    parameter,
    parameters,
    unexpected,
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
_TAKEOVER: Final = Struct("!III")
_U16: Final = Struct("!H")


@dataclass(frozen=True, slots=True)
class Presence(Between):
    """ENRP_PRESENCE (RFC 5353 section 2.1).

    @ivar checksum: PE checksum of the sender's own elements (RFC 5353 section 3.6.2).
    @ivar reply_required: bit 0x01, which the figure of the RFC leaves out.
    """

    TYPE: ClassVar[int] = 0x01
    checksum: int | None = None
    information: ServerInformation | None = None
    reply_required: bool = False

    def _encode(self) -> bytes:
        values = []
        if self.checksum is not None:
            values.append(parameter(PE_CHECKSUM, _U16.pack(self.checksum)))
        if self.information is not None:
            values.append(server_information(self.information))
        return self.made(_FLAG if self.reply_required else 0, values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        found = once(data, 12, end, frozenset({PE_CHECKSUM, SERVER_INFORMATION}), report)
        checksum = None
        if PE_CHECKSUM in found:
            start, stop = found[PE_CHECKSUM]
            if stop - start != 6:
                raise WireError("a PE checksum parameter has a wrong size", information=data[start:stop])
            checksum = _U16.unpack_from(data, start + 4)[0]
        place = found.get(SERVER_INFORMATION)
        information = decode_server_information(data, *place, report) if place else None
        return cls(*parties(data), checksum, information, bool(flags & _FLAG))


@dataclass(frozen=True, slots=True)
class ListRequest(Between):
    """ENRP_LIST_REQUEST (RFC 5353 section 2.5)."""

    TYPE: ClassVar[int] = 0x05

    def _encode(self) -> bytes:
        return self.made(0, ())

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        once(data, 12, end, frozenset(), report)
        return cls(*parties(data))


@dataclass(frozen=True, slots=True)
class ListResponse(Between):
    """ENRP_LIST_RESPONSE (RFC 5353 section 2.6).

    @ivar rejected: the R flag.
    """

    TYPE: ClassVar[int] = 0x06
    servers: tuple[ServerInformation, ...] = ()
    rejected: bool = False

    def _encode(self) -> bytes:
        return self.made(_FLAG if self.rejected else 0, [server_information(server) for server in self.servers])

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        servers = []
        for kind, start, stop in parameters(data, 12, end):
            if kind == SERVER_INFORMATION:
                servers.append(decode_server_information(data, start, stop, report))
            else:
                unexpected(data, kind, start, stop, report)
        return cls(*parties(data), tuple(servers), bool(flags & _FLAG))


@dataclass(frozen=True, slots=True)
class _Takeover(Between):
    """What names the registrar that is to be replaced."""

    target: int

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, _TAKEOVER.pack(self.sender, self.receiver, self.target), ())

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        if end < 16:
            raise WireError("the target of the takeover is missing", information=data[:end])
        once(data, 16, end, frozenset(), report)
        return cls(*_TAKEOVER.unpack_from(data, 4))


@dataclass(frozen=True, slots=True)
class InitTakeover(_Takeover):
    """ENRP_INIT_TAKEOVER (RFC 5353 section 2.7)."""

    TYPE: ClassVar[int] = 0x07


@dataclass(frozen=True, slots=True)
class InitTakeoverAck(_Takeover):
    """ENRP_INIT_TAKEOVER_ACK (RFC 5353 section 2.8)."""

    TYPE: ClassVar[int] = 0x08


@dataclass(frozen=True, slots=True)
class TakeoverServer(_Takeover):
    """ENRP_TAKEOVER_SERVER (RFC 5353 section 2.9)."""

    TYPE: ClassVar[int] = 0x09


@dataclass(frozen=True, slots=True)
class Error(Between):
    """ENRP_ERROR (RFC 5353 section 2.10).

    @ivar causes: at least one.
    """

    TYPE: ClassVar[int] = 0x0A
    causes: tuple[ErrorCause, ...]

    def _encode(self) -> bytes:
        return self.made(0, (encode_operation_error(self.causes),))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        place = once(data, 12, end, frozenset({OPERATION_ERROR}), report).get(OPERATION_ERROR)
        causes = decode_operation_error(data, *(place or missing("Operation Error")))
        return cls(*parties(data), causes)


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
