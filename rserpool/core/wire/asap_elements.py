"""Messages of ASAP between registrars and pool elements (RFC 5352 sections 2.2.1 to 2.2.4, 2.2.7 and 2.2.8)."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.wire.causes import ErrorCause, decode_operation_error, encode_operation_error
from rserpool.core.wire.frame import message
from rserpool.core.wire.parameters import PoolElementParameter, decode_element, pool_element, pool_handle
from rserpool.core.wire.private import DRAINING, Draining, decode_draining
from rserpool.core.wire.tlv import (
    OPERATION_ERROR,
    PE_IDENTIFIER,
    POOL_ELEMENT,
    POOL_HANDLE,
    U32,
    behind,
    handle_and,
    missing,
    once,
    parameter_u32,
    value_u32,
)

_FLAG: Final = 0x01
_PRIVATE: Final = 0x80
_RESPONSE: Final = frozenset({POOL_HANDLE, PE_IDENTIFIER, OPERATION_ERROR})


@frozen
class OneElement:
    """What names one pool element and says no more."""

    TYPE: ClassVar[int]
    handle: bytes
    identifier: int

    def _encode(self) -> bytes:
        return self._made(0)

    def _made(self, flags: int, more: tuple[bytes, ...] = ()) -> bytes:
        values = (pool_handle(self.handle), parameter_u32(PE_IDENTIFIER, self.identifier), *more)
        return message(self.TYPE, flags, b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        return cls(*_one(data, end, report)[:2])


@frozen
class Registration:
    """ASAP_REGISTRATION (RFC 5352 section 2.2.1)."""

    TYPE: ClassVar[int] = 0x01
    handle: bytes
    element: PoolElementParameter

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, b"", (pool_handle(self.handle), pool_element(self.element)))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, place = handle_and(data, 4, end, POOL_ELEMENT, report)
        start, stop = place or missing("Pool Element")
        return cls(handle, decode_element(data, start, stop, report))


@frozen
class Deregistration(OneElement):
    """ASAP_DEREGISTRATION (RFC 5352 section 2.2.2).

    @ivar drains: whether the element stays, draining, until it is to serve again; bit 0x80, which others ignore.
    """

    TYPE: ClassVar[int] = 0x02
    drains: bool = False

    def _encode(self) -> bytes:
        return self._made(_PRIVATE if self.drains else 0)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        return cls(*_one(data, end, report)[:2], bool(flags & _PRIVATE))


@frozen
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
        return _encode_response(self.TYPE, _FLAG if self.rejected else 0, self.handle, self.identifier, self.causes)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, identifier, causes = _decode_response(data, end, report)
        return cls(handle, identifier, bool(flags & _FLAG), causes)


@frozen
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


@frozen
class EndpointKeepAlive:
    """ASAP_ENDPOINT_KEEP_ALIVE (RFC 5352 section 2.2.7).

    @ivar server: identifier of the sending registrar.
    @ivar home: the H flag: the sender is the home registrar from now on.
    @ivar identifier: the element that is meant. The RFC has no such parameter; rsplib appends it, and answers for
        all elements of the pool if it is absent.
    @ivar draining: whether the element is to drain; None where nothing is asked for (private: docs/interop.md).
    """

    TYPE: ClassVar[int] = 0x07
    server: int
    handle: bytes
    home: bool = False
    identifier: int | None = None
    draining: Draining | None = None

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle)]
        if self.identifier is not None:
            values.append(parameter_u32(PE_IDENTIFIER, self.identifier))
        if self.draining is not None:
            values.append(self.draining.encode())
        return message(self.TYPE, _FLAG if self.home else 0, U32.pack(self.server), values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        server = server_identifier(data, end)
        handle, place = handle_and(data, 8, end, PE_IDENTIFIER, report)
        identifier = value_u32(data, place, "PE Identifier") if place else None
        return cls(server, handle, bool(flags & _FLAG), identifier, _draining(data, place, end))


@frozen
class EndpointKeepAliveAck(OneElement):
    """ASAP_ENDPOINT_KEEP_ALIVE_ACK (RFC 5352 section 2.2.8).

    @ivar private: whether the element knows the private parameters of keep-alives; bit 0x80, which others ignore.
    @ivar draining: whether it drains, where it was asked for that.
    """

    TYPE: ClassVar[int] = 0x08
    private: bool = False
    draining: Draining | None = None

    def _encode(self) -> bytes:
        more = () if self.draining is None else (self.draining.encode(),)
        return self._made(_PRIVATE if self.private else 0, more)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, identifier, place = _one(data, end, report)
        return cls(handle, identifier, bool(flags & _PRIVATE), _draining(data, place, end))


def _one(data: bytes, end: int, report: list[bytes]) -> tuple[bytes, int, tuple[int, int]]:
    """What names one element, and where that ends."""
    handle, found = handle_and(data, 4, end, PE_IDENTIFIER, report)
    place = found or missing("PE Identifier")
    return handle, value_u32(data, place, "PE Identifier"), place


def _draining(data: bytes, place: tuple[int, int] | None, end: int) -> Draining | None:
    return decode_draining(data, behind(data, place, end, DRAINING))


def _encode_response(kind: int, flags: int, handle: bytes, identifier: int, causes: tuple[ErrorCause, ...]) -> bytes:
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


def server_identifier(data: bytes, end: int) -> int:
    """The server identifier that some messages begin with."""
    if end < 8:
        raise WireError("the server identifier is missing", information=data[:end])
    server: int = U32.unpack_from(data, 4)[0]
    return server
