"""Where messages end within TLS, which knows bytes alone (RFC 3436 section 1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from rserpool.core.errors import WireError
from rserpool.core.wire.stream import whole_messages
from rserpool.sctp.base import MAX_MESSAGE


class Framing(Protocol):
    """How messages become a stream of bytes.

    @ivar ppid: the payload protocol identifier of what travels over SCTP.
    """

    @property
    def ppid(self) -> int: ...

    def wrap(self, data: bytes, ppid: int) -> bytes:
        """The bytes of a message."""

    def one(self, data: bytes) -> tuple[bytes, int] | None:
        """The message and its PPID, if this is one and nothing else, as most of what comes in is."""

    def take(self, received: bytearray) -> Iterator[tuple[bytes, int]]:
        """Take the messages out of what came in that are whole; the rest stays.

        @raise WireError: if a length is impossible: nothing that follows can be read.
        """


class OwnLength:
    """ASAP and ENRP: the length is in each message, and padding follows it, as over TCP (RFC 5354 section 4)."""

    def __init__(self, ppid: int) -> None:
        self.ppid = ppid

    def wrap(self, data: bytes, ppid: int) -> bytes:
        return data + bytes(-len(data) % 4) if len(data) & 3 else data

    def one(self, data: bytes) -> tuple[bytes, int] | None:
        length = data[2] << 8 | data[3] if len(data) > 3 else 0
        return (data, self.ppid) if length > 3 and length + 3 & ~3 == len(data) else None

    def take(self, received: bytearray) -> Iterator[tuple[bytes, int]]:
        return ((message, self.ppid) for message in whole_messages(received))


class LengthAndPpid:
    """Any other messages: each has its length and its PPID before it, 32 bits each, in network order."""

    ppid: Final = 0
    _HEADER: Final = 8

    def wrap(self, data: bytes, ppid: int) -> bytes:
        return len(data).to_bytes(4, "big") + ppid.to_bytes(4, "big") + data

    def one(self, data: bytes) -> tuple[bytes, int] | None:
        if len(data) > self._HEADER and int.from_bytes(data[:4], "big") == len(data) - self._HEADER:
            return data[self._HEADER :], int.from_bytes(data[4:8], "big")
        return None

    def take(self, received: bytearray) -> Iterator[tuple[bytes, int]]:
        header = self._HEADER
        while len(received) >= header:
            length = int.from_bytes(received[:4], "big")
            if not 0 < length <= MAX_MESSAGE:
                raise WireError(f"a message of length {length}")
            if len(received) < header + length:
                break
            message = bytes(received[header : header + length]), int.from_bytes(received[4:8], "big")
            del received[: header + length]
            yield message
