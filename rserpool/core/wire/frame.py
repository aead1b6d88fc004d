"""What all messages have in common: type, flags, length and padding (RFC 5354 section 4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import Struct
from typing import ClassVar, Final, Protocol, Self, TypeVar

from rserpool.core.errors import CauseCode, WireError
from rserpool.core.wire.tlv import LONGEST, Decoded, whole

_HEADER: Final = Struct("!BBH")


class AnyMessage(Protocol):
    """What every message class offers to its protocol's C{encode} and C{decode}.

    @cvar TYPE: the message type.
    """

    TYPE: ClassVar[int]

    def _encode(self) -> bytes: ...

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self: ...


M = TypeVar("M", bound=AnyMessage)


def message(kind: int, flags: int, fixed: bytes, parameters: Sequence[bytes]) -> bytes:
    """The bytes of a message: header, fixed fields, parameters; its length leaves out the final padding.

    @param parameters: encoded parameters, padded.
    @raise struct.error: if it is longer than a 16-bit length holds.
    """
    value = b"".join(parameters)
    length = 4 + len(fixed) + len(value)
    if parameters:
        length -= -parameters[-1][3] & 3
    return _HEADER.pack(kind, flags, length) + fixed + value


def encode_message(message: AnyMessage) -> bytes:
    """The bytes of a message, padded.

    @raise ValueError: if a value does not fit its field, or the message would be longer than 65,535 bytes.
    """
    try:
        return message._encode()
    except struct.error as error:
        raise does_not_fit(error) from None


def decode_message(data: bytes, classes: tuple[type[M], ...], shortest: int) -> Decoded[M]:
    """A message from its bytes.

    @param classes: the messages of a protocol in the order of their types, from 1; the last one is its error message,
        which is never answered by another.
    @param shortest: length in bytes of what all messages of the protocol begin with.
    @raise WireError: if the bytes are no message of the protocol.
    """
    report: list[bytes] = []
    try:
        kind, flags, end = _header(data, len(classes), shortest)
        message = classes[kind - 1]._decode(data, flags, end, report)
    except WireError as error:
        if data and data[0] == len(classes):
            error.report = False
        if error.cause == CauseCode.INVALID_VALUES:
            # RFC 5354 3.12.4: the offending TLV whole; it is the message where no parameter has the fault alone.
            error.information = whole(error.information or data)
            if not error.information:
                error.cause = CauseCode.UNSPECIFIED
        raise
    if report:
        return Decoded(message, tuple(report) if kind < len(classes) else ())
    return Decoded(message)


def _header(data: bytes, types: int, shortest: int) -> tuple[int, int, int]:
    if len(data) < 4:
        raise WireError(f"a message of {len(data)} bytes has no header", information=data)
    kind, flags, length = _HEADER.unpack_from(data)
    if not 0 < kind <= types:
        # RFC 5354 section 4: 00 discard, 01 discard and report, 10 and 11 are reserved.
        raise WireError(
            f"unknown message type 0x{kind:02x}",
            cause=CauseCode.UNRECOGNIZED_MESSAGE,
            information=whole(data[: max(length, 4)]),
            report=kind >> 6 == 1,
        )
    if not shortest <= length <= len(data) <= length + 3:
        raise WireError(
            f"message type 0x{kind:02x} says {length} bytes, but {len(data)} came",
            information=data,
        )
    return kind, flags, length


def does_not_fit(error: struct.error) -> ValueError:
    """What encoding raises for a value that does not fit its field."""
    return ValueError(f"a value does not fit its field, or all together are longer than {LONGEST} bytes: {error}")
