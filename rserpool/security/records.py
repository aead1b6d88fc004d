"""Where one record ends and the next one begins (RFC 8446 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rserpool.security.failure import NOT_TLS, TlsFailure
from rserpool.security.way import LONGEST_RECORD

_HEADER: Final = 5
FOR_MIDDLEBOXES: Final = b"\x14\x03\x03\x00\x01\x01"
"""The change_cipher_spec that TLS 1.3 does not need (RFC 8446 section 5)."""
_TYPES: Final = frozenset((20, 21, 22, 23))


def take_records(received: bytearray) -> bytes:
    """Take the records out of what came in that are whole; the rest stays.

    @raise TlsFailure: if these are no records.
    """
    stop = 0
    while (end := _end(received, stop)) is not None:
        stop = end
    whole = bytes(received[:stop])
    del received[:stop]
    return whole


def each_record(data: bytes) -> Iterator[bytes]:
    """The records of what is to be sent, which are whole, one by one."""
    start, size = 0, len(data)
    while start < size:
        end = start + _HEADER + (data[start + 3] << 8 | data[start + 4])
        yield data[start:end]
        start = end


def is_record(data: bytes) -> bool:
    """Whether this is one record and nothing else, as most of what comes in is."""
    return len(data) > _HEADER and len(data) == _HEADER + (data[3] << 8 | data[4]) and data[0] in _TYPES


def _end(data: bytes | bytearray, start: int) -> int | None:
    """Where the record that begins at C{start} ends; None if it is not whole."""
    if len(data) > start and data[start] not in _TYPES:
        raise TlsFailure(NOT_TLS)
    if len(data) < start + _HEADER:
        return None
    end = start + _HEADER + (data[start + 3] << 8 | data[start + 4])
    if end - start > LONGEST_RECORD:
        raise TlsFailure(NOT_TLS)
    return end if end <= len(data) else None
