"""The messages of ASAP (RFC 5352 section 2.2)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self, TypeAlias, cast, get_args

from rserpool.errors import WireError
from rserpool.wire.causes import ErrorCause, decode_operation_error, encode_operation_error
from rserpool.wire.frame import decode_message, does_not_fit, encode_message, message
from rserpool.wire.parameters import (
    Policy,
    PoolElement,
    SctpTransport,
    TcpTransport,
    decode_element,
    decode_policy,
    policy_parameter,
    pool_element,
    pool_handle,
)
from rserpool.wire.private import ENCAPSULATION, decode_encapsulation, encode_encapsulation
from rserpool.wire.quick import quick
from rserpool.wire.tlv import (
    COOKIE,
    HANDLE_RESOLUTION_OPTION,
    LONGEST,
    OPERATION_ERROR,
    PE_IDENTIFIER,
    POLICY,
    POOL_ELEMENT,
    POOL_HANDLE,
    SCTP_TRANSPORT,
    TCP_TRANSPORT,
    U32,
    Decoded,
    handle_and,
    missing,
    once,
    parameter,
    parameter_u32,
    parameters,
    unexpected,
    value_u32,
)
from rserpool.wire.transports import decode_sctp_transport, decode_transport, encode_transport

_FLAG: Final = 0x01
_RESPONSE: Final = frozenset({POOL_HANDLE, PE_IDENTIFIER, OPERATION_ERROR})


@dataclass(frozen=True, slots=True)
class _OneElement:
    """What names one pool element and says no more."""

    TYPE: ClassVar[int]
    handle: bytes
    identifier: int

    def _encode(self) -> bytes:
        values = (pool_handle(self.handle), parameter_u32(PE_IDENTIFIER, self.identifier))
        return message(self.TYPE, 0, b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, place = handle_and(data, 4, end, PE_IDENTIFIER, report)
        return cls(handle, value_u32(data, place or missing("PE Identifier"), "PE Identifier"))


@dataclass(frozen=True, slots=True)
class _OneCookie:
    """What carries a cookie."""

    TYPE: ClassVar[int]
    cookie: bytes

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, b"", (parameter(COOKIE, self.cookie),))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        start, stop = once(data, 4, end, frozenset({COOKIE}), report).get(COOKIE) or missing("Cookie")
        return cls(data[start + 4 : stop])


def _encode_response(
    kind: int, flags: int, handle: bytes, identifier: int, causes: tuple[ErrorCause, ...]
) -> bytes:
    values = [pool_handle(handle), parameter_u32(PE_IDENTIFIER, identifier)]
    if causes:
        values.append(encode_operation_error(causes))
    return message(kind, flags, b"", values)


def _decode_response(data: bytes, end: int, report: list[bytes]) -> tuple[bytes, int, tuple[ErrorCause, ...]]:
    found = once(data, 4, end, _RESPONSE, report)
    start, stop = found.get(POOL_HANDLE) or missing("Pool Handle")
    identifier = value_u32(data, found.get(PE_IDENTIFIER) or missing("PE Identifier"), "PE Identifier")
    error = found.get(OPERATION_ERROR)
    return data[start + 4 : stop], identifier, decode_operation_error(data, *error) if error else ()


def _server(data: bytes, end: int) -> int:
    if end < 8:
        raise WireError("the server identifier is missing", information=data[:end])
    server: int = U32.unpack_from(data, 4)[0]
    return server


@quick
@dataclass(frozen=True, slots=True)
class Registration:
    """ASAP_REGISTRATION (RFC 5352 section 2.2.1)."""

    TYPE: ClassVar[int] = 0x01
    handle: bytes
    element: PoolElement

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, b"", (pool_handle(self.handle), pool_element(self.element)))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, place = handle_and(data, 4, end, POOL_ELEMENT, report)
        start, stop = place or missing("Pool Element")
        return cls(handle, decode_element(data, start, stop, report))


@dataclass(frozen=True, slots=True)
class Deregistration(_OneElement):
    """ASAP_DEREGISTRATION (RFC 5352 section 2.2.2)."""

    TYPE: ClassVar[int] = 0x02


@quick
@dataclass(frozen=True, slots=True)
class RegistrationResponse:
    """ASAP_REGISTRATION_RESPONSE (RFC 5352 section 2.2.3).

    @ivar rejected: the R flag.
    @ivar causes: why it was rejected; a warning if it was not.
    """

    TYPE: ClassVar[int] = 0x03
    handle: bytes
    identifier: int
    rejected: bool = False
    causes: tuple[ErrorCause, ...] = ()

    def _encode(self) -> bytes:
        return _encode_response(
            self.TYPE, _FLAG if self.rejected else 0, self.handle, self.identifier, self.causes
        )

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, identifier, causes = _decode_response(data, end, report)
        return cls(handle, identifier, bool(flags & _FLAG), causes)


@dataclass(frozen=True, slots=True)
class DeregistrationResponse:
    """ASAP_DEREGISTRATION_RESPONSE (RFC 5352 section 2.2.4): an answer, or news that the registration life is over."""

    TYPE: ClassVar[int] = 0x04
    handle: bytes
    identifier: int
    causes: tuple[ErrorCause, ...] = ()

    def _encode(self) -> bytes:
        return _encode_response(self.TYPE, 0, self.handle, self.identifier, self.causes)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        return cls(*_decode_response(data, end, report))


@quick
@dataclass(frozen=True, slots=True)
class HandleResolution:
    """ASAP_HANDLE_RESOLUTION (RFC 5352 section 2.2.5).

    @ivar subscribe: the S bit.
    @ivar items: the most elements that the answer is to hold (draft-dreibholz-rserpool-asap-hropt; 0xffffffff for
        as many as allowed); C{None} if the parameter is absent.
    """

    TYPE: ClassVar[int] = 0x05
    handle: bytes
    subscribe: bool = False
    items: int | None = None

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle)]
        if self.items is not None:
            values.append(parameter_u32(HANDLE_RESOLUTION_OPTION, self.items))
        return message(self.TYPE, _FLAG if self.subscribe else 0, b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, place = handle_and(data, 4, end, HANDLE_RESOLUTION_OPTION, report)
        items = value_u32(data, place, "handle resolution option") if place else None
        return cls(handle, bool(flags & _FLAG), items)


@quick
@dataclass(frozen=True, slots=True)
class HandleResolutionResponse:
    """ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 section 2.2.6).

    @ivar policy: the overall policy of the pool; C{None} stands for round robin.
    @ivar accepted: the A bit: updates will follow.
    @ivar causes: if there are any, the answer is negative.
    """

    TYPE: ClassVar[int] = 0x06
    handle: bytes
    policy: Policy | None = None
    elements: tuple[PoolElement, ...] = ()
    accepted: bool = False
    causes: tuple[ErrorCause, ...] = ()

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle)]
        if self.policy is not None:
            values.append(policy_parameter(self.policy))
        values.extend(map(pool_element, self.elements))
        if self.causes:
            values.append(encode_operation_error(self.causes))
        return message(self.TYPE, _FLAG if self.accepted else 0, b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle: bytes | None = None
        policy: Policy | None = None
        elements = []
        causes: tuple[ErrorCause, ...] = ()
        for kind, start, stop in parameters(data, 4, end):
            if kind == POOL_ELEMENT:
                elements.append(decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE and handle is None:
                handle = data[start + 4 : stop]
            elif kind == POLICY and policy is None:
                policy = decode_policy(data, start, stop)
            elif kind == OPERATION_ERROR and not causes:
                causes = decode_operation_error(data, start, stop)
            else:
                unexpected(data, kind, start, stop, report)
        if handle is None:
            missing("Pool Handle")
        return cls(handle, policy, tuple(elements), bool(flags & _FLAG), causes)


@quick
@dataclass(frozen=True, slots=True)
class EndpointKeepAlive:
    """ASAP_ENDPOINT_KEEP_ALIVE (RFC 5352 section 2.2.7).

    @ivar server: identifier of the sending registrar.
    @ivar home: the H flag: the sender is the home registrar from now on.
    @ivar identifier: the element that is meant. The RFC has no such parameter; rsplib appends it, and answers for
        all elements of the pool if it is absent.
    """

    TYPE: ClassVar[int] = 0x07
    server: int
    handle: bytes
    home: bool = False
    identifier: int | None = None

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle)]
        if self.identifier is not None:
            values.append(parameter_u32(PE_IDENTIFIER, self.identifier))
        return message(self.TYPE, _FLAG if self.home else 0, U32.pack(self.server), values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        server = _server(data, end)
        handle, place = handle_and(data, 8, end, PE_IDENTIFIER, report)
        identifier = value_u32(data, place, "PE Identifier") if place else None
        return cls(server, handle, bool(flags & _FLAG), identifier)


@quick
@dataclass(frozen=True, slots=True)
class EndpointKeepAliveAck(_OneElement):
    """ASAP_ENDPOINT_KEEP_ALIVE_ACK (RFC 5352 section 2.2.8)."""

    TYPE: ClassVar[int] = 0x08


@dataclass(frozen=True, slots=True)
class EndpointUnreachable(_OneElement):
    """ASAP_ENDPOINT_UNREACHABLE (RFC 5352 section 2.2.9)."""

    TYPE: ClassVar[int] = 0x09


@dataclass(frozen=True, slots=True)
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
        server = _server(data, end)
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


@dataclass(frozen=True, slots=True)
class Cookie(_OneCookie):
    """ASAP_COOKIE (RFC 5352 section 2.2.11): state that an element leaves with a user."""

    TYPE: ClassVar[int] = 0x0B


@dataclass(frozen=True, slots=True)
class CookieEcho(_OneCookie):
    """ASAP_COOKIE_ECHO (RFC 5352 section 2.2.12): the latest cookie, brought to the next element."""

    TYPE: ClassVar[int] = 0x0C


@dataclass(frozen=True, slots=True)
class BusinessCard:
    """ASAP_BUSINESS_CARD (RFC 5352 section 2.2.13): a pool, and elements in the order of preferred failover."""

    TYPE: ClassVar[int] = 0x0D
    handle: bytes
    elements: tuple[PoolElement, ...]

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, b"", (pool_handle(self.handle), *map(pool_element, self.elements)))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle: bytes | None = None
        elements = []
        for kind, start, stop in parameters(data, 4, end):
            if kind == POOL_ELEMENT:
                elements.append(decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE and handle is None:
                handle = data[start + 4 : stop]
            else:
                unexpected(data, kind, start, stop, report)
        if handle is None:
            missing("Pool Handle")
        return cls(handle, tuple(elements))


@dataclass(frozen=True, slots=True)
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
    return decode_message(data, MESSAGES, 4)


def encode_handle_resolution_response(
    handle: bytes, policy: bytes, elements: Sequence[bytes], accepted: bool = False
) -> bytes:
    """A positive ASAP_HANDLE_RESOLUTION_RESPONSE from parameters that are encoded already.

    Trailing elements that would make it longer than 65,535 bytes are left out.

    @param policy: the overall policy as a padded TLV; empty to leave it out.
    @param elements: Pool Elements as padded TLVs.
    @raise ValueError: if not even handle and policy fit.
    """
    try:
        values = [pool_handle(handle)]
        if policy:
            values.append(policy)
        room = LONGEST - 4 - sum(map(len, values))
        for element in elements:
            if len(element) - (-element[3] & 3) > room:
                break
            room -= len(element)
            values.append(element)
        return message(HandleResolutionResponse.TYPE, _FLAG if accepted else 0, b"", values)
    except struct.error as error:
        raise does_not_fit(error) from None
