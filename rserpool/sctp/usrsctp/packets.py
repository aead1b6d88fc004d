"""The few fields of SCTP packets that this backend reads and writes itself (RFC 9260 section 3)."""

from __future__ import annotations

import struct

from rserpool.sctp.usrsctp.library import Library

HEADER = 12
"""Bytes of the common header."""
SHORTEST = 16
"""A packet holds at least one chunk header."""

INIT = 1
"""The chunk type of INIT."""
BEFORE_DATA = (0, 10, 11)
"""Those of DATA, COOKIE ECHO and COOKIE ACK, behind which data may be."""

_COMMON = struct.Struct("!HHI")
_INIT_CHUNK = struct.Struct("!BBHIIHH")
_INIT_LENGTH = 20
_PARAMETER = struct.Struct("!HH")
_LEAST_WINDOW = 1500
_AUTH_PARAMETERS = (0x8002, 0x8003, 0x8004)
_SUPPORTED_EXTENSIONS = 0x8008
_ASCONF_CHUNKS = {0xC1, 0x80}
_ABORT_CHUNK = b"\x06\x00\x00\x04"
_ABORT_CHUNK_T = b"\x06\x01\x00\x04"
_SHUTDOWN_ACK = 8
_SHUTDOWN_COMPLETE_T = b"\x0e\x01\x00\x04"
_DISCARDED = {6, 9, 11, 14}
"""ABORT, ERROR, COOKIE ACK and SHUTDOWN COMPLETE."""


def initiate_tag(packet: bytes) -> bytes | None:
    """The Initiate Tag, if the packet is an INIT (section 3.3.2)."""
    if len(packet) >= HEADER + 8 and packet[HEADER] == INIT:
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
    if packet[HEADER] == INIT:
        tag = initiate_tag(packet)
        return abort_with_tag(library, destination, source, tag) if tag else None
    return _packet(library, struct.pack("!HH", destination, source) + packet[4:8], _ABORT_CHUNK_T)


def out_of_the_blue(library: Library, packet: bytes) -> bytes | None:
    """What answers a packet of nobody that we know, other than an INIT (section 8.4).

    @return: C{None} if it is to be discarded, as one with a wrong checksum.
    """
    if not sound(library, packet):
        return None
    kind = packet[HEADER]
    if kind in _DISCARDED:
        return None
    if kind == _SHUTDOWN_ACK:
        source, destination, _ = _COMMON.unpack_from(packet)
        return _packet(library, struct.pack("!HH", destination, source) + packet[4:8], _SHUTDOWN_COMPLETE_T)
    return abort_for(library, packet)


def sound(library: Library, packet: bytes) -> bool:
    """Whether the checksum is right (section 6.8)."""
    checksum: int = library.lib.usrsctp_crc32c(packet[:8] + bytes(4) + packet[HEADER:], len(packet))
    return struct.pack("=I", checksum) == packet[8:HEADER]


def harmless_init(packet: bytes) -> bool:
    """Whether an INIT may be shown to the library although there is an association with its sender.

    libusrsctp 0.9.5.0 ends the association for an INIT with wrong values, which needs no tag: anybody who can forge the
    sender's address could do that. So wrong values do not get through, nor any parameters of AUTH and ASCONF, whose
    combinations the library judges in the same way. (A restarted peer that uses them waits until the old association
    is found dead.)
    """
    if len(packet) < HEADER + _INIT_LENGTH:
        return False
    _, _, length, tag, window, outbound, inbound = _INIT_CHUNK.unpack_from(packet, HEADER)
    end = HEADER + length
    if length < _INIT_LENGTH or end > len(packet) or not tag or window < _LEAST_WINDOW or not outbound or not inbound:
        return False
    at = HEADER + _INIT_LENGTH
    while at < end:
        if at + _PARAMETER.size > end:
            return False
        kind, length = _PARAMETER.unpack_from(packet, at)
        if length < _PARAMETER.size or at + length > end or kind in _AUTH_PARAMETERS:
            return False
        if kind == _SUPPORTED_EXTENSIONS and not _ASCONF_CHUNKS.isdisjoint(packet[at + 4 : at + length]):
            return False
        at += (length + 3) & ~3
    return True


def ports(packet: bytes) -> tuple[int, int]:
    """Source and destination port."""
    source, destination, _ = _COMMON.unpack_from(packet)
    return source, destination


def _packet(library: Library, start: bytes, chunk: bytes) -> bytes:
    packet = start + bytes(4) + chunk
    # The library's CRC32c comes out in the order of bytes that the header wants.
    checksum: int = library.lib.usrsctp_crc32c(packet, len(packet))
    return start + struct.pack("=I", checksum) + chunk
