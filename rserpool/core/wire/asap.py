"""The messages of ASAP, and their bytes (RFC 5352 section 2.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final, Self, TypeAlias, cast, get_args

from rserpool.core.frozen import frozen
from rserpool.core.wire.asap_elements import (
    Deregistration,
    DeregistrationResponse,
    EndpointKeepAlive,
    EndpointKeepAliveAck,
    Registration,
    RegistrationResponse,
    server_identifier,
)
from rserpool.core.wire.asap_users import (
    BusinessCard,
    Cookie,
    CookieEcho,
    EndpointUnreachable,
    HandleResolution,
    HandleResolutionResponse,
    encode_handle_resolution_response,
)
from rserpool.core.wire.causes import ErrorCause, decode_operation_error, encode_operation_error
from rserpool.core.wire.frame import decode_message, encode_message, message
from rserpool.core.wire.parameters import SctpTransport, TcpTransport
from rserpool.core.wire.private import ENCAPSULATION, decode_encapsulation, encode_encapsulation
from rserpool.core.wire.tlv import (
    OPERATION_ERROR,
    SCTP_TRANSPORT,
    TCP_TRANSPORT,
    U32,
    Decoded,
    missing,
    once,
    parameters,
    unexpected,
)
from rserpool.core.wire.transports import decode_sctp_transport, decode_transport, encode_transport

__all__ = [
    "MESSAGES",
    "BusinessCard",
    "Cookie",
    "CookieEcho",
    "Decoded",
    "Deregistration",
    "DeregistrationResponse",
    "EndpointKeepAlive",
    "EndpointKeepAliveAck",
    "EndpointUnreachable",
    "Error",
    "HandleResolution",
    "HandleResolutionResponse",
    "Message",
    "Registration",
    "RegistrationResponse",
    "ServerAnnounce",
    "decode",
    "encode",
    "encode_handle_resolution_response",
]


@frozen
class ServerAnnounce:
    """ASAP_SERVER_ANNOUNCE (RFC 5352 section 2.2.10).

    @ivar transports: where ASAP is spoken; if there are none, at the source of the announcement.
    @ivar encapsulation: UDP port of SCTP over UDP there; 0 if not known.
    """

    TYPE: ClassVar[int] = 0x0A
    server: int
    transports: tuple[SctpTransport | TcpTransport, ...] = ()
    encapsulation: int = 0

    def _encode(self) -> bytes:
        values = [encode_transport(transport) for transport in self.transports]
        if self.encapsulation:
            values.append(encode_encapsulation(self.encapsulation))
        return message(self.TYPE, 0, U32.pack(self.server), values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        server = server_identifier(data, end)
        transports: list[SctpTransport | TcpTransport] = []
        encapsulation = 0
        for kind, start, stop in parameters(data, 8, end):
            if kind == SCTP_TRANSPORT:
                transports.append(decode_sctp_transport(data, start, stop, report))
            elif kind == TCP_TRANSPORT:
                transports.append(cast(TcpTransport, decode_transport(data, start, stop, report)))
            elif kind == ENCAPSULATION:
                encapsulation = decode_encapsulation(data, start, stop) or encapsulation
            else:
                unexpected(data, kind, start, stop, report)
        return cls(server, tuple(transports), encapsulation)


@frozen
class Error:
    """ASAP_ERROR (RFC 5352 section 2.2.14).

    @ivar causes: at least one.
    """

    TYPE: ClassVar[int] = 0x0E
    causes: tuple[ErrorCause, ...]

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, b"", (encode_operation_error(self.causes),))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        found = once(data, 4, end, frozenset({OPERATION_ERROR}), report)
        return cls(decode_operation_error(data, *(found.get(OPERATION_ERROR) or missing("Operation Error"))))


Message: TypeAlias = (
    Registration
    | Deregistration
    | RegistrationResponse
    | DeregistrationResponse
    | HandleResolution
    | HandleResolutionResponse
    | EndpointKeepAlive
    | EndpointKeepAliveAck
    | EndpointUnreachable
    | ServerAnnounce
    | Cookie
    | CookieEcho
    | BusinessCard
    | Error
)

ACKNOWLEDGES: Final = bytes([EndpointKeepAliveAck.TYPE])
"""What an acknowledgement of a keep-alive begins with."""
ASKS: Final = bytes([HandleResolution.TYPE])
REGISTERS: Final = bytes([Registration.TYPE])
DEREGISTERS: Final = bytes([Deregistration.TYPE])
"""What a resolution begins with, a registration, and a deregistration."""
SHORT: Final = 128
"""Bytes of a request that is remembered, at most."""

MESSAGES: Final[tuple[type[Message], ...]] = get_args(Message)
"""All message classes; the type of each is its place, counted from 1."""


def encode(message: Message) -> bytes:
    """The bytes of a message, padded to a multiple of 4; the length in its header leaves the final padding out.

    @raise ValueError: if a value does not fit its field, or the message would be longer than 65,535 bytes.
    """
    return encode_message(message)


def decode(data: bytes) -> Decoded[Message]:
    """One message from its bytes; up to 3 bytes of final padding are ignored.

    @raise WireError: if these bytes are no ASAP message. It says by C{report} whether the sender is to be told:
        never about an ASAP_ERROR.
    """
    if data[:1] == ASKS and len(data) <= SHORT and type(data) is bytes:
        return _again(data)
    return decode_message(data, MESSAGES, 4)


@lru_cache(maxsize=512)
def _again(data: bytes) -> Decoded[Message]:
    """Users ask for the same pools over and over, in the same bytes."""
    return decode_message(data, MESSAGES, 4)
