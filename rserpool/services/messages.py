"""The messages of pingpong, and its cookie, as rsplib has them: all numbers in network byte order."""

from __future__ import annotations

from struct import Struct
from typing import Final

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen

PPID_PINGPONG: Final = 33
"""The payload protocol identifier of pings and pongs."""
LONGEST: Final = 65_535
"""The most bytes of a ping or pong: its length field has 16 bits."""

_PING: Final = 1
_PONG: Final = 2
_HEADER: Final = Struct("!BBH")
_PING_BODY: Final = Struct("!BBHQ")
_PONG_BODY: Final = Struct("!BBHQQ")
_COOKIE: Final = Struct("!8sQ")
_COOKIE_MARK: Final = b"<PP-TD1>"


@frozen
class Ping:
    """A question: type 1, flags, length, message number (64 bits), data.

    @ivar number: the number that the user gives it.
    @ivar data: what the pong brings back; at most 65,515 bytes.
    """

    number: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Its bytes.

        @raise ValueError: if it is too long for its answer.
        """
        if _PONG_BODY.size + len(self.data) > LONGEST:
            raise ValueError(f"a ping carries at most {LONGEST - _PONG_BODY.size} bytes, not {len(self.data)}")
        return _PING_BODY.pack(_PING, 0, _PING_BODY.size + len(self.data), self.number) + self.data

    @classmethod
    def decode(cls, message: bytes) -> Ping:
        """Read it.

        @raise WireError: if it is something else.
        """
        body = _body(message, _PING, "ping", _PING_BODY.size)
        return cls(_PING_BODY.unpack_from(body)[3], body[_PING_BODY.size :])


@frozen
class Pong:
    """An answer: type 2, flags, length, the ping's number, the number of the reply (64 bits each), the ping's data.

    @ivar number: that of the ping.
    @ivar reply: counts the answers of a session, from 1; the cookie carries it from element to element.
    """

    number: int
    reply: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Its bytes."""
        return _PONG_BODY.pack(_PONG, 0, _PONG_BODY.size + len(self.data), self.number, self.reply) + self.data

    @classmethod
    def decode(cls, message: bytes) -> Pong:
        """Read it.

        @raise WireError: if it is something else.
        """
        body = _body(message, _PONG, "pong", _PONG_BODY.size)
        _, _, _, number, reply = _PONG_BODY.unpack_from(body)
        return cls(number, reply, body[_PONG_BODY.size :])


def encode_cookie(next_reply: int) -> bytes:
    """The cookie of a session: the mark C{<PP-TD1>}, and the number that its next answer has."""
    return _COOKIE.pack(_COOKIE_MARK, next_reply)


def decode_cookie(cookie: bytes) -> int:
    """The number of the next answer.

    @raise WireError: if it is no cookie of pingpong.
    """
    if len(cookie) != _COOKIE.size or not cookie.startswith(_COOKIE_MARK):
        raise WireError(f"no cookie of pingpong: {cookie[:16]!r}, {len(cookie)} bytes")
    return int(_COOKIE.unpack(cookie)[1])


def _body(message: bytes, kind: int, name: str, least: int) -> bytes:
    if len(message) < _HEADER.size:
        raise WireError(f"no {name}: it has {len(message)} bytes")
    found, _, length = _HEADER.unpack_from(message)
    if found != kind or not least <= length <= len(message):
        raise WireError(f"no {name}: type {found}, length {length} of {len(message)} bytes")
    return message[:length]
