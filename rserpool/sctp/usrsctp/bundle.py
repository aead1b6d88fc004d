"""Packets that are put together: what is sent in one turn goes out in as few as possible (RFC 9260 section 6.10).

The library makes a packet of each message that it is given, since it waits for no other one. Where several follow each
other at once, as in a TLS handshake, most of what they cost is the packets, at both ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from rserpool.sctp.usrsctp.library import Library
from rserpool.sctp.usrsctp.packets import HEADER
from rserpool.sctp.usrsctp.peers import UdpPeer

MOST: Final = 1200
"""Bytes of a packet that is put together, at most: every path takes as many (RFC 8200 section 5)."""
_DATA: Final = 0
_BEFORE_DATA: Final = frozenset({_DATA, 3, 11})
"""The first chunk of a packet to which DATA may be added: DATA, SACK, COOKIE ACK."""
_TAG: Final = 8
"""Bytes of ports and verification tag: the packets of one association have the same."""


class Bundle:
    """What the library has sent since the turn began."""

    def __init__(self) -> None:
        self._packets: list[tuple[UdpPeer, list[bytes]]] = []
        self._last: dict[tuple[UdpPeer, bytes], list[bytes]] = {}

    def add(self, peer: UdpPeer, packet: bytes) -> None:
        """The library sends a packet."""
        whose = peer, packet[:_TAG]
        parts = self._last.get(whose)
        if parts is not None and _fits(parts, packet):
            parts.append(packet)
        else:
            self._last[whose] = parts = [packet]
            self._packets.append((peer, parts))

    def packets(self, library: Library) -> Iterator[tuple[UdpPeer, bytes]]:
        """The packets that go out instead; those of one association are in the same order."""
        for peer, parts in self._packets:
            yield peer, parts[0] if len(parts) == 1 else _together(library, parts)


def _fits(parts: list[bytes], packet: bytes) -> bool:
    return packet[HEADER] == _DATA and parts[0][HEADER] in _BEFORE_DATA and sum(map(len, parts)) + len(packet) <= MOST


def _together(library: Library, parts: list[bytes]) -> bytes:
    start, chunks = parts[0][:_TAG], b"".join(part[HEADER:] for part in parts)
    checksum: int = library.lib.usrsctp_crc32c(start + bytes(4) + chunks, HEADER + len(chunks))
    return start + struct.pack("=I", checksum) + chunks
