"""Private parameters of this software; others skip them silently (high bits 10 of the type, RFC 5354 section 3).

Each begins with a version. A receiver skips a version that it does not know, so that old and new versions live
together: a new meaning takes a new version, or a new type, and is never needed to understand the rest of the message.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

ENCAPSULATION: Final = 0x8F01
"""The UDP port of SCTP over UDP (RFC 6951) at the transport address that stands before it."""
ENCAPSULATION_VERSION: Final = 1

_ENCAPSULATION: Final = Struct("!HHBxH")


def encode_encapsulation(port: int) -> bytes:
    """The parameter for a UDP port: type, length 8, version 1, zero, port.

    @raise struct.error: if it is no port number.
    """
    return _ENCAPSULATION.pack(ENCAPSULATION, 8, ENCAPSULATION_VERSION, port)


def decode_encapsulation(data: bytes, start: int, stop: int) -> int:
    """The UDP port; 0 if this is another version (or somebody else's parameter of the same type)."""
    if stop - start != 8:
        return 0
    _, _, version, port = _ENCAPSULATION.unpack_from(data, start)
    return int(port) if version == ENCAPSULATION_VERSION else 0
