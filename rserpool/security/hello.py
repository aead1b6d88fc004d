"""What a ClientHello says before TLS reads it (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2)."""

from __future__ import annotations

from typing import Final

from rserpool.core.frozen import frozen
from rserpool.security.failure import NOT_TLS, TlsFailure
from rserpool.security.way import LONGEST_RECORD

HANDSHAKE: Final = 22
CLIENT_HELLO: Final = 1
LONGEST: Final = 16384
"""Bytes of a hello, at most: with every extension that there is it has some 2,000."""
PRE_SHARED_KEY: Final = 41
KEY_SUITES: Final = frozenset(
    [*range(0x8A, 0x96), *range(0xA8, 0xBA), *range(0xC033, 0xC03C), *range(0xCCAB, 0xCCAF), *range(0xD001, 0xD006)]
)
"""The cipher suites of TLS 1.2 with a key (RFC 4279, 5487, 5489, 7905, 8442)."""
_RANDOM: Final = slice(11, 43)


@frozen
class ClientHello:
    """
    @ivar random: what makes it unlike any other.
    @ivar offers_key: whether the client wants to be known by a key.
    """

    random: bytes
    offers_key: bool


def is_client_hello(data: bytes) -> bool:
    """Whether this record begins a ClientHello."""
    return len(data) >= _RANDOM.stop and data[0] == HANDSHAKE and data[5] == CLIENT_HELLO


def random_of(data: bytes) -> bytes:
    """The random of the ClientHello that this record begins."""
    return bytes(data[_RANDOM])


def parse_hello(received: bytes) -> ClientHello | None:
    """Read the first message of a client, which may be in several records.

    @return: None while it is not whole.
    @raise TlsFailure: if it is no ClientHello.
    """
    message = bytearray()
    at = 0
    while True:
        if received[at : at + 1] not in (b"", b"\x16") or received[at + 1 : at + 2] not in (b"", b"\x03"):
            raise TlsFailure(NOT_TLS)
        length = int.from_bytes(received[at + 3 : at + 5], "big")
        if length > LONGEST_RECORD:
            raise TlsFailure(NOT_TLS)
        if len(received) < at + 5 or len(received) < at + 5 + length:
            break
        message += received[at + 5 : at + 5 + length]
        at += 5 + length
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return _read(bytes(message))
    if (message and message[0] != CLIENT_HELLO) or len(received) > LONGEST:
        raise TlsFailure("it begins with something else than a ClientHello")
    return None


def _read(message: bytes) -> ClientHello:
    if message[0] != CLIENT_HELLO:
        raise TlsFailure("it begins with something else than a ClientHello")
    body = message[4 : 4 + int.from_bytes(message[1:4], "big")]
    at = 34
    at += 1 + int.from_bytes(body[at : at + 1], "big")
    suites, at = _vector(body, at, 2)
    _, at = _vector(body, at, 1)
    extensions, _ = _vector(body, at, 2)
    offers = _has(extensions, PRE_SHARED_KEY) or any(
        int.from_bytes(suites[each : each + 2], "big") in KEY_SUITES for each in range(0, len(suites), 2)
    )
    return ClientHello(body[2:34], offers)


def _has(extensions: bytes, kind: int) -> bool:
    """Whether there is an extension of this kind; the last one may be cut off."""
    at, last = 0, len(extensions) - 4
    while at <= last:
        if extensions[at] << 8 | extensions[at + 1] == kind:
            return True
        at += 4 + (extensions[at + 2] << 8 | extensions[at + 3])
    return extensions[at : at + 2] == kind.to_bytes(2, "big")


def _vector(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """What a length of C{size} bytes stands before, and where that ends; what is cut off is short, and TLS says so."""
    start = at + size
    stop = start + int.from_bytes(data[at:start], "big")
    return data[start:stop], stop
