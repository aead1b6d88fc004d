"""Frames out of capture files: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), as they come."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error, unpack_from
from typing import BinaryIO, Final

from rserpool.core.errors import RSerPoolError
from rserpool.core.frozen import frozen

LARGEST: Final = 16 * 2**20
"""Bytes of a frame or block, at most: what is longer is no capture."""
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_RESOLUTION: Final = 9
"""The option of an interface that says what a unit of time is."""


class BadCapture(RSerPoolError):
    """A file is no capture, or is damaged; the text says where."""


@frozen
class Frame:
    """One frame.

    @ivar number: from 1, as tshark counts.
    @ivar when: seconds since 1970.
    @ivar link: its link type.
    """

    number: int
    when: float
    link: int
    data: bytes


def frames(file: BinaryIO) -> Iterator[Frame]:
    """The frames of a capture; from a pipe as they come.

    @raise BadCapture: where it is none, or ends in the middle of one.
    """
    magic = file.read(4)
    if magic in _PCAP:
        return _pcap(file, *_PCAP[magic])
    if magic == _SECTION:
        return _pcapng(file)
    raise BadCapture("this is no capture: neither pcap nor pcapng" if magic else "this capture is empty")


def _read(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise BadCapture(f"the capture ends in the middle: {length - len(data)} bytes are missing")
    return data


def _pcap(file: BinaryIO, order: str, unit: float) -> Iterator[Frame]:
    header, number = Struct(order + "IIII"), 0
    link = int(unpack_from(order + "I", _read(file, 20), 16)[0]) & 0xFFFF
    while start := file.read(16):
        if len(start) < 16:
            raise BadCapture("the capture ends in the middle of a frame's header")
        seconds, parts, captured, _ = header.unpack(start)
        if captured > LARGEST:
            raise BadCapture(f"frame {number + 1} says that it has {captured} bytes: the capture is damaged")
        number += 1
        yield Frame(number, seconds + parts * unit, link, _read(file, captured))


def _pcapng(file: BinaryIO) -> Iterator[Frame]:
    order, number = "<", 0
    interfaces: list[tuple[int, float]] = []
    kind: bytes = _SECTION
    while kind:
        if len(kind) < 4:
            raise BadCapture("the capture ends in the middle of a block's type")
        length = _read(file, 4)
        if kind == _SECTION:
            magic = _read(file, 4)
            order = "<" if magic == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
            body = magic + _read(file, _body(length, order, number) - 4)
        else:
            body = _read(file, _body(length, order, number))
        _read(file, 4)
        try:
            found = _block(int.from_bytes(kind, "little" if order == "<" else "big"), body, order, interfaces)
        except (error, IndexError):
            raise BadCapture(f"a block behind frame {number} is damaged") from None
        if found is not None:
            number += 1
            yield Frame(number, *found)
        kind = file.read(4)


def _body(length: bytes, order: str, number: int) -> int:
    size = int(unpack_from(order + "I", length)[0])
    if size < 16 and size != 12 or size % 4 or size > LARGEST:
        raise BadCapture(f"a block behind frame {number} says that it has {size} bytes: the capture is damaged")
    return size - 12


def _block(kind: int, body: bytes, order: str, interfaces: list[tuple[int, float]]) -> tuple[float, int, bytes] | None:
    """Time, link type and data of the frame in a block, if there is one."""
    if kind == _INTERFACE:
        (link,) = unpack_from(order + "H", body)
        interfaces.append((link, _unit(body[8:], order)))
    elif kind in (_PACKET, _OLD_PACKET):
        which, high, low, captured, _ = unpack_from(order + "IIIII", body)
        link, unit = interfaces[which if kind == _PACKET else unpack_from(order + "H", body)[0]]
        return (high << 32 | low) * unit, link, body[20 : 20 + captured]
    elif kind == _SIMPLE_PACKET:
        (length,) = unpack_from(order + "I", body)
        return 0.0, interfaces[0][0], body[4 : 4 + length]
    return None


def _unit(options: bytes, order: str) -> float:
    offset = 0
    while offset + 4 <= len(options):
        code, length = unpack_from(order + "HH", options, offset)
        if code == _RESOLUTION and length == 1:
            value = options[offset + 4]
            return float(2.0 ** -(value & 0x7F) if value & 0x80 else 10.0**-value)
        if code == 0:
            break
        offset += 4 + (length + 3 & ~3)
    return 1e-6
