"""The few fields of SCTP packets that this backend reads and writes itself (RFC 9260 section 3)."""

from __future__ import annotations

import struct

from rserpool.sctp.usrsctp.library import Library

HEADER = 12
"""Bytes of the common header."""
SHORTEST = 16
"""A packet holds at least one chunk header."""

_COMMON = struct.Struct("!HHI")
_INIT = 1
_ABORT_CHUNK = b"\x06\x00\x00\x04"
_ABORT_CHUNK_T = b"\x06\x01\x00\x04"


def initiate_tag(packet: bytes) -> bytes | None:
    """The Initiate Tag, if the packet is an INIT (section 3.3.2)."""
    if len(packet) >= HEADER + 8 and packet[HEADER] == _INIT:
        return bytes(packet[HEADER + 4 : HEADER + 8])
    return None


def abort_with_tag(library: Library, source: int, destination: int, tag: bytes) -> bytes:
    """An ABORT that carries the receiver's own tag (section 8.5.1 B)."""
    return _packet(library, struct.pack("!HH", source, destination) + tag, _ABORT_CHUNK)


def abort_for(library: Library, packet: bytes) -> bytes | None:
    """The ABORT that answers C{packet}, as if nobody knew its association (section 8.4): with the tag of an INIT,
    else with the packet's own tag reflected and the T bit set. The packet may be cut off behind its first chunk header.

    @return: C{None} if there is nothing to answer: it is too short, or an ABORT itself.
    """
    if len(packet) < SHORTEST or packet[HEADER] == _ABORT_CHUNK[0]:
        return None
    source, destination, _ = _COMMON.unpack_from(packet)
    if packet[HEADER] == _INIT:
        tag = initiate_tag(packet)
        return abort_with_tag(library, destination, source, tag) if tag else None
    return _packet(library, struct.pack("!HH", destination, source) + packet[4:8], _ABORT_CHUNK_T)


def ports(packet: bytes) -> tuple[int, int]:
    """Source and destination port."""
    source, destination, _ = _COMMON.unpack_from(packet)
    return source, destination


def _packet(library: Library, start: bytes, chunk: bytes) -> bytes:
    packet = start + bytes(4) + chunk
    # The library's CRC32c comes out in the order of bytes that the header wants.
    checksum: int = library.lib.usrsctp_crc32c(packet, len(packet))
    return start + struct.pack("=I", checksum) + chunk
