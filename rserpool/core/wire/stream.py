"""Messages in a stream of bytes, as ASAP travels over TCP (RFC 5354 section 4: the length is in the header)."""

from __future__ import annotations

from collections.abc import Iterator

from rserpool.core.errors import WireError

_HEADER = 4


def whole_messages(received: bytearray) -> Iterator[bytes]:
    """Take the messages out of what came in that are whole; the rest stays.

    @raise WireError: if a length is impossible: nothing that follows can be read.
    """
    start, end = 0, len(received)
    try:
        while end - start >= _HEADER:
            length = int.from_bytes(received[start + 2 : start + 4], "big")
            if length < _HEADER:
                raise WireError(f"a message of length {length}")
            # The padding comes with the message.
            stop = start + (length + 3 & ~3)
            if stop > end:
                break
            message = bytes(received[start:stop])
            start = stop
            yield message
    finally:
        del received[:start]


def is_whole(data: bytes) -> bool:
    """Whether this is one message and nothing else, as most of what comes in is."""
    length = int.from_bytes(data[2:4], "big")
    return length >= _HEADER and length + 3 & ~3 == len(data)
