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


_NO_CHECKSUM: Final = bytes(HEADER - _TAG)


class Bundle:
    """What the library has sent since the turn began."""

    def __init__(self) -> None:
        self._packets: list[_Packet] = []
        self._last: dict[tuple[UdpPeer, bytes], _Packet] = {}

    def add(self, peer: UdpPeer, packet: bytes) -> None:
        """The library sends a packet."""
        whose = peer, packet[:_TAG]
        last = self._last.get(whose)
        if last is not None and packet[HEADER] == _DATA and last.room >= len(packet):
            last.chunks.append(packet[HEADER:])
            last.room -= len(packet) - HEADER
        else:
            self._last[whose] = last = _Packet(peer, packet)
            self._packets.append(last)

    def packets(self, library: Library) -> Iterator[tuple[UdpPeer, bytes]]:
        """The packets that go out instead; those of one association are in the same order."""
        for each in self._packets:
            yield each.peer, _together(library, each.first, each.chunks) if each.chunks else each.first


class _Packet:
    """One that goes out.

    @ivar first: the one that it begins with.
    @ivar chunks: what follows.
    @ivar room: how long the next one may be whose chunks follow, too.
    """

    __slots__ = ("chunks", "first", "peer", "room")

    def __init__(self, peer: UdpPeer, first: bytes) -> None:
        self.peer = peer
        self.first = first
        self.chunks: list[bytes] = []
        self.room = MOST - len(first) + HEADER if first[HEADER] in _BEFORE_DATA else 0


def _together(library: Library, first: bytes, chunks: list[bytes]) -> bytes:
    start = first[:_TAG]
    packet = b"".join((start, _NO_CHECKSUM, first[HEADER:], *chunks))
    checksum: int = library.lib.usrsctp_crc32c(packet, len(packet))
    return start + struct.pack("=I", checksum) + packet[HEADER:]
