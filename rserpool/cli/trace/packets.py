"""The user messages in frames: SCTP over IP and over UDP (RFC 9260, RFC 6951), datagrams of multicast, and TCP."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from struct import error, unpack_from
from typing import Final, TypeAlias

from rserpool.core.addresses import ASAP_PORT, ASAP_TLS_PORT, ENRP_PORT
from rserpool.core.frozen import frozen
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP

_TCP, _UDP, _SCTP = 6, 17, 132
_DATA, _INIT, _ABORT, _SHUTDOWN = 0, 1, 6, 7
_CHUNKS: Final = {_INIT: "set-up", _ABORT: "abort", _SHUTDOWN: "shutdown"}
_KNOWN: Final = frozenset({*range(15), 0x40, 0x80, 0x81, 0x82, 0x84, 0xC0, 0xC1, 0xC2})
_END, _BEGIN, _UNORDERED = 1, 2, 4
_SKIPPED: Final = frozenset({0, 43, 60})
"""Extension headers of IPv6 that stand before the rest."""
MOST: Final = 10_000
"""So many unfinished messages, and so many chunks that were seen, are kept."""

Place: TypeAlias = tuple[str, int]


@frozen
class Found:
    """A message, or what becomes of an association.

    @ivar ppid: 11 for ASAP, 12 for ENRP; None where it is no message.
    @ivar data: the message; what happens to the association, in a word, where it is none.
    @ivar over: over what: C{"sctp"}, C{"udp"} (SCTP over UDP), C{"tcp"}, C{"multicast"}.
    """

    source: Place
    target: Place
    over: str
    ppid: int | None
    data: bytes


class Packets:
    """Puts messages together again; retransmissions are left out."""

    def __init__(self) -> None:
        self._fragments: dict[tuple[object, ...], bytes] = {}
        self._seen: dict[tuple[object, ...], None] = {}
        self._streams: dict[tuple[Place, Place], tuple[int, bytes]] = {}

    def take(self, link: int, frame: bytes) -> list[Found]:
        """What is complete with this frame; nothing where it is something else, or damaged."""
        try:
            packet = _packet(link, frame)
            return [] if packet is None else list(self._ip(packet))
        except (error, IndexError, ValueError):
            return []

    def _ip(self, packet: bytes) -> Iterator[Found]:
        version = packet[0] >> 4
        if version == 4:
            total, fragment, protocol = unpack_from("!2xHxxHxB", packet)
            if fragment & 0x3FFF:
                return
            source, target = str(ip_address(packet[12:16])), str(ip_address(packet[16:20]))
            payload = packet[(packet[0] & 15) * 4 : total or len(packet)]
        elif version == 6:
            length, protocol = unpack_from("!4xHB", packet)
            source, target = str(ip_address(packet[8:24])), str(ip_address(packet[24:40]))
            payload = packet[40 : 40 + length]
            while protocol in _SKIPPED:
                protocol, more = payload[0], payload[1]
                payload = payload[8 + 8 * more :]
        else:
            return
        if protocol == _SCTP:
            yield from self._sctp(source, target, "sctp", payload)
        elif protocol == _UDP:
            yield from self._udp(source, target, payload)
        elif protocol == _TCP:
            yield from self._tcp(source, target, payload)

    def _udp(self, source: str, target: str, payload: bytes) -> Iterator[Found]:
        port, to = unpack_from("!HH", payload)
        inside = payload[8:]
        if ip_address(target).is_multicast and to in (ASAP_PORT, ENRP_PORT):
            ppid = PPID_ASAP if to == ASAP_PORT else PPID_ENRP
            yield Found((source, port), (target, to), "multicast", ppid, inside)
        elif _is_sctp(inside):
            yield from self._sctp(source, target, "udp", inside)

    def _sctp(self, source: str, target: str, over: str, payload: bytes) -> Iterator[Found]:
        port, to, tag = unpack_from("!HHI", payload)
        here, there = (source, port), (target, to)
        offset = 12
        while offset + 4 <= len(payload):
            kind, flags, length = unpack_from("!BBH", payload, offset)
            if kind == _DATA:
                yield from self._data((here, there, tag), over, flags, payload[offset + 4 : offset + length])
            elif kind in _CHUNKS:
                yield Found(here, there, over, None, _CHUNKS[kind].encode())
            offset += max(4, length + 3 & ~3)

    def _data(self, way: tuple[Place, Place, int], over: str, flags: int, chunk: bytes) -> Iterator[Found]:
        tsn, stream, sequence, ppid = unpack_from("!IHHI", chunk)
        if (*way, tsn) in self._seen:
            return
        self._seen[(*way, tsn)] = None
        key = (*way, stream, sequence, flags & _UNORDERED)
        begun = b"" if flags & _BEGIN else self._fragments.pop(key, None)
        if begun is None:
            return  # its beginning was not seen
        data = begun + chunk[12:]
        if not flags & _END:
            self._fragments[key] = data
        elif ppid in (PPID_ASAP, PPID_ENRP):
            yield Found(way[0], way[1], over, ppid, data)
        for kept in (self._seen, self._fragments):
            while len(kept) > MOST:
                del kept[next(iter(kept))]

    def _tcp(self, source: str, target: str, payload: bytes) -> Iterator[Found]:
        """ASAP of users: messages one behind the other; what comes out of its turn is lost, and what follows, until a
        segment begins with a message."""
        port, to, sequence, rest = unpack_from("!HHI4xB", payload)
        if {port, to}.isdisjoint((ASAP_PORT, ASAP_TLS_PORT)):
            return
        data, way = payload[(rest >> 4) * 4 :], ((source, port), (target, to))
        if not data:
            return
        expected, kept = self._streams.pop(way, (sequence, b""))
        if sequence != expected:
            if (expected - sequence) % 2**32 < 2**31:
                self._streams[way] = expected, kept  # again
                return
            kept = b""
        kept += data
        while len(kept) >= 4:
            if kept[0] in (0x14, 0x15, 0x16, 0x17) and kept[1] == 3:
                yield Found(*way, "tcp", PPID_ASAP, kept)
                kept = b""
                break
            length = int.from_bytes(kept[2:4], "big")
            if length < 4:
                kept = b""
                break
            if len(kept) < (length + 3 & ~3) and len(kept) != length:
                break
            yield Found(*way, "tcp", PPID_ASAP, kept[: length + 3 & ~3])
            kept = kept[length + 3 & ~3 :]
        self._streams[way] = (sequence + len(data)) % 2**32, kept[:70_000]
        while len(self._streams) > MOST:
            del self._streams[next(iter(self._streams))]


def _is_sctp(payload: bytes) -> bool:
    """Whether a datagram is a packet of SCTP, by its form: chunks that are known, one behind the other, to its end."""
    if len(payload) < 16 or len(payload) % 4 or not payload[:2].strip(b"\0") or not payload[2:4].strip(b"\0"):
        return False
    offset = 12
    while offset + 4 <= len(payload):
        kind, _, length = unpack_from("!BBH", payload, offset)
        if kind not in _KNOWN or length < 4:
            return False
        offset += length + 3 & ~3
    return offset == len(payload)


def _packet(link: int, frame: bytes) -> bytes | None:
    """The packet of IP in a frame; None if it is something else."""
    if link in (101, 228, 229, 12, 14):
        return frame
    if link in (0, 108):
        return frame[4:]
    if link in (113, 276):
        at, start = (14, 16) if link == 113 else (0, 20)
    elif link == 1:
        at, start = 12, 14
        while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
            at, start = at + 4, start + 4
    else:
        return None
    return frame[start:] if frame[at : at + 2] in (b"\x08\x00", b"\x86\xdd") else None
