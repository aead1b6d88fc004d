"""Read SCTP user messages and UDP datagrams from a capture file (classic pcap, RFC 9260 section 3.3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct, unpack_from

ETHERNET, LINUX_COOKED, LINUX_COOKED_V2 = 1, 113, 276
"""Link types: where the EtherType stands, and where the packet begins."""
_LINK = {ETHERNET: (12, 14), LINUX_COOKED: (14, 16), LINUX_COOKED_V2: (0, 20)}
_IPV4, _UDP, _SCTP, _SCTP_DATA = 0x0800, 17, 132, 0
_DATA_CHUNK = Struct("!IHHI")
_END, _BEGIN, _UNORDERED = 1, 2, 4


@dataclass(frozen=True)
class UserMessage:
    """One SCTP user message, or one UDP datagram (C{ppid} is C{None}).

    @ivar frame: the number of the frame that ended it, from 1 as tshark counts.
    """

    frame: int
    ppid: int | None
    destination: str
    port: int
    data: bytes


def frames(path: Path) -> Iterator[bytes]:
    """IPv4 packets of a capture, C{b""} for anything else, so that counting them gives frame numbers."""
    data = path.read_bytes()
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[data[:4]]
    (link,) = unpack_from(order + "I", data, 20)
    ethertype, start = _LINK[link]
    offset = 24
    while offset < len(data):
        captured, original = unpack_from(order + "II", data, offset + 8)
        if captured != original:
            raise ValueError("the capture cut frames short")
        frame = data[offset + 16 : offset + 16 + captured]
        yield frame[start:] if unpack_from("!H", frame, ethertype) == (_IPV4,) else b""
        offset += 16 + captured


def user_messages(path: Path) -> list[UserMessage]:
    """All user messages of a capture in the order in which they became complete, retransmissions left out."""
    messages = []
    seen: set[tuple[bytes, int, int, int]] = set()
    fragments: dict[tuple[bytes, int, int, int, int, int], bytes] = {}
    for number, packet in enumerate(frames(path), 1):
        if not packet:
            continue
        total, fragment, protocol = unpack_from("!2xHxxHxB", packet)
        if fragment & 0x3FFF:
            raise ValueError("IP fragments are not supported")
        destination = ".".join(map(str, packet[16:20]))
        payload = packet[(packet[0] & 15) * 4 : total]
        if protocol == _UDP:
            messages.append(UserMessage(number, None, destination, unpack_from("!H", payload, 2)[0], payload[8:]))
        if protocol != _SCTP:
            continue
        source_port, port, tag = unpack_from("!HHI", payload)
        offset = 12
        while offset < len(payload):
            chunk, flags, length = unpack_from("!BBH", payload, offset)
            if chunk == _SCTP_DATA:
                tsn, stream, sequence, ppid = _DATA_CHUNK.unpack_from(payload, offset + 4)
                if (packet[12:20], port, tag, tsn) not in seen:
                    seen.add((packet[12:20], port, tag, tsn))
                    key = packet[12:20], source_port, port, tag, stream, sequence | (flags & _UNORDERED) << 16
                    begun = b"" if flags & _BEGIN else fragments.pop(key)
                    data = begun + payload[offset + 16 : offset + length]
                    if flags & _END:
                        messages.append(UserMessage(number, ppid, destination, port, data))
                    else:
                        fragments[key] = data
            offset += (length + 3) & ~3
    return messages
