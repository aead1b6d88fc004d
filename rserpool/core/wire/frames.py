"""Session framing, version 1: data, control and requests in one stream (our own; docs/interop.md, "Sessions").

Over TCP each frame is a kind (8 bits), a length (24 bits) and so many bytes. Over SCTP a message is a frame already,
and private payload protocol identifiers tell requests and answers from the application's own messages.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.wire.private import SESSION_FRAMING_VERSION

HELLO: Final = 1
"""The first frame of either side: who does not send it speaks something else."""
DATA: Final = 2
CONTROL: Final = 3
"""An ASAP message (RFC 5352 section 2.2) of the control channel."""
REQUEST: Final = 4
REPEATED: Final = 5
"""A request that was given to another element before, which may have done it."""
REPLY: Final = 6
GOODBYE: Final = 7
"""The element ends the session without being broken: go elsewhere, and do not report it."""

LONGEST_FRAME: Final = 0xFFFFFF
"""The most bytes that a frame holds."""
NUMBER: Final = Struct("!I")
"""What the body of a request or an answer begins with: the number of the request, unique in the session."""
PPID_REQUEST: Final = 0x52535004
PPID_REPEATED: Final = 0x52535005
PPID_REPLY: Final = 0x52535006
PPID_GOODBYE: Final = 0x52535007
"""Payload protocol identifiers ("RSP" and the kind) of session framing over SCTP."""
RESUMED: Final = 0x01
"""Flag of a user's hello: ASAP_COOKIE_ECHO comes next."""

_HEAD: Final = Struct("!I")
_HELLO: Final = Struct("!8sBBxx")
_MAGIC: Final = b"RSerPool"
_unpack = _HEAD.unpack_from


def frame(kind: int, body: bytes) -> bytes:
    """The bytes of a frame.

    @raise ValueError: if the body is longer than L{LONGEST_FRAME}.
    """
    if len(body) > LONGEST_FRAME:
        raise ValueError(f"a message of a session holds at most {LONGEST_FRAME} bytes, not {len(body)}")
    return _HEAD.pack(kind << 24 | len(body)) + body


@frozen
class Hello:
    """What either side says first.

    @ivar handle: the pool that the user asks for; empty in an element's hello.
    @ivar resumed: whether the session goes on with a cookie, which comes next.
    """

    handle: bytes = b""
    resumed: bool = False
    version: int = SESSION_FRAMING_VERSION

    def encode(self) -> bytes:
        """The bytes of the whole frame, head included."""
        return frame(HELLO, _HELLO.pack(_MAGIC, self.version, RESUMED if self.resumed else 0) + self.handle)

    @classmethod
    def decode(cls, kind: int, body: bytes) -> Hello:
        """The hello in a frame.

        @raise WireError: if it is none, or one of another version.
        """
        if kind != HELLO or len(body) < _HELLO.size or body[:8] != _MAGIC:
            raise WireError("the peer does not begin with the hello of session framing")
        _, version, flags = _HELLO.unpack_from(body)
        if version != SESSION_FRAMING_VERSION:
            raise WireError(
                f"the peer speaks version {version} of session framing, and we speak {SESSION_FRAMING_VERSION}"
            )
        return cls(body[_HELLO.size :], bool(flags & RESUMED), version)


class FrameReader:
    """Cuts a stream of bytes into frames.

    @param longest: the most bytes of one frame's body.
    """

    __slots__ = ("_longest", "_need", "_rest")

    def __init__(self, longest: int = LONGEST_FRAME) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._need = 4

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are whole now: kind and body of each.

        @raise WireError: if one says that it is longer than may be, or the first bytes cannot be a hello.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        frames: list[tuple[int, bytes]] = []
        offset, end = 0, len(data)
        self._need = 4
        while end - offset >= 4:
            head = _unpack(data, offset)[0]
            length = head & 0xFFFFFF
            kind = head >> 24
            if length > self._longest or not 0 < kind <= GOODBYE:
                raise WireError(f"not a frame of a session: kind {kind}, {length} bytes")
            stop = offset + 4 + length
            if stop > end:
                self._need = 4 + length
                break
            frames.append((kind, data[offset + 4 : stop]))
            offset = stop
        if offset < end:
            self._rest += data[offset:] if offset else data
        return frames
