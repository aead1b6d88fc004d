"""What an operator wants of an element, from the registrar that was asked to its home, and back (docs/interop.md).

Private parameters of ENRP_PRESENCE: who does not know them has heard a presence, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Final, TypeAlias

from rserpool.core.frozen import frozen
from rserpool.core.handles import printable

ORDER: Final = 0x8F08
"""Between registrars alone, in ENRP_PRESENCE: an element of the receiver is to drain, or to serve again."""
ORDER_VERSION: Final = 1
ORDER_ANSWER: Final = 0x8F09
"""The same: what came of it."""
ORDER_ANSWER_VERSION: Final = 1
DRAINERS: Final = 0x8F0A
"""The same: which elements of the sender drain."""
DRAINERS_VERSION: Final = 1
LONGEST_HEADED: Final = 8_000
"""Bytes of those that are told."""
LEAVING: Final = 0x8F0B
"""The same: the sender has handed all its elements over, and is about to end."""
LEAVING_VERSION: Final = 1
LONGEST_NAME: Final = 300
"""Bytes of the operator's name that are told; of an answer's sentence there are L{LONGEST_SENTENCE}."""
LONGEST_SENTENCE: Final = 1000

_ORDER: Final = Struct("!HHBBHII")
_ANSWER: Final = Struct("!HHBBxxII")
_HEADED: Final = Struct("!HHBxxx")
_DRAINER: Final = Struct("!IIHxx")
_NOT_KNOWN: Final = 0xFFFFFFFF


@frozen
class Order:
    """An element is to drain, or to serve again.

    @ivar number: by which the answer names it; each sender has numbers of its own.
    @ivar by: the operator, as the sender knows it: for the audit trail.
    """

    number: int
    drains: bool
    handle: bytes
    identifier: int
    by: str = ""

    def encode(self) -> bytes:
        """Type, length, version 1, state (1 drain, 0 serve), length of the handle, number, PE identifier, texts."""
        text = self.handle + _cut(self.by, LONGEST_NAME)
        about = ORDER_VERSION, int(self.drains), len(self.handle), self.number, self.identifier
        return _padded(_ORDER.pack(ORDER, _ORDER.size + len(text), *about) + text)


class Result(IntEnum):
    """What came of an order."""

    DONE = 0
    REFUSED = 1
    NO_ELEMENT = 2
    """The receiver knows no such element."""
    NO_POOL = 3
    """Nor such a pool."""


@frozen
class OrderAnswer:
    """What came of the order of this number.

    @ivar connections: how many connections the element has yet; None where that is not known.
    @ivar why: a sentence, where it was refused.
    """

    number: int
    result: Result
    connections: int | None = None
    why: str = ""

    def encode(self) -> bytes:
        """Type, length, version 1, result, zeros, number, open connections (0xffffffff: not known), sentence."""
        text = _cut(self.why, LONGEST_SENTENCE)
        yet = _NOT_KNOWN if self.connections is None else min(self.connections, _NOT_KNOWN - 1)
        about = ORDER_ANSWER_VERSION, int(self.result), self.number, yet
        return _padded(_ANSWER.pack(ORDER_ANSWER, _ANSWER.size + len(text), *about) + text)


Ordering: TypeAlias = Order | OrderAnswer


@frozen
class Drainer:
    """An element that drains; its home tells others, who see it in no pool.

    @ivar connections: how many connections it has yet; None where that is not known.
    """

    handle: bytes
    identifier: int
    connections: int | None = None

    def encode(self) -> bytes:
        """PE identifier, open connections, length of the handle, zeros, the handle, padded."""
        yet = _NOT_KNOWN if self.connections is None else min(self.connections, _NOT_KNOWN - 1)
        return _padded(_DRAINER.pack(self.identifier, yet, len(self.handle)) + self.handle)


def encode_drainers(drainers: Sequence[Drainer]) -> bytes:
    """The Draining Elements parameter: type, length, version 1, zeros, and so many of them as have room."""
    room, some = LONGEST_HEADED, list[bytes]()
    for each in map(Drainer.encode, drainers):
        room -= len(each)
        if room < 0:
            break
        some.append(each)
    value = b"".join(some)
    return _HEADED.pack(DRAINERS, _HEADED.size + len(value), DRAINERS_VERSION) + value


def decode_drainers(data: bytes, place: tuple[int, int] | None) -> tuple[Drainer, ...]:
    """Who drains; none if this is another version, or not whole.

    @param place: offset and end of the parameter.
    """
    if place is None or not _HEADED.size <= place[1] - place[0] <= _HEADED.size + LONGEST_HEADED:
        return ()
    if _HEADED.unpack_from(data, place[0])[2] != DRAINERS_VERSION:
        return ()
    found, offset = list[Drainer](), place[0] + _HEADED.size
    while offset + _DRAINER.size <= place[1]:
        identifier, yet, length = _DRAINER.unpack_from(data, offset)
        start = offset + _DRAINER.size
        if start + length > place[1]:
            return ()
        found.append(Drainer(data[start : start + length], identifier, None if yet == _NOT_KNOWN else yet))
        offset = (start + length + 3) & ~3
    return tuple(found)


def encode_leaving() -> bytes:
    """The Leaving parameter: type, length 8, version 1, zeros."""
    return _HEADED.pack(LEAVING, _HEADED.size, LEAVING_VERSION)


def decode_leaving(data: bytes, place: tuple[int, int] | None) -> bool:
    """Whether it is there, in the version that we know.

    @param place: offset and end of the parameter.
    """
    if place is None or place[1] - place[0] != _HEADED.size:
        return False
    return int(_HEADED.unpack_from(data, place[0])[2]) == LEAVING_VERSION


def decode_order(data: bytes, place: tuple[int, int] | None) -> Order | None:
    """What is wanted; None if there is none, or this is another version.

    @param place: offset and end of the parameter.
    """
    if place is None or place[1] - place[0] < _ORDER.size:
        return None
    _, _, version, state, length, number, identifier = _ORDER.unpack_from(data, place[0])
    start = place[0] + _ORDER.size
    if version != ORDER_VERSION or state > 1 or not 0 < length <= place[1] - start:
        return None
    by = data[start + length : min(place[1], start + length + LONGEST_NAME)].decode("utf-8", "replace")
    return Order(number, bool(state), data[start : start + length], identifier, printable(by))


def decode_answer(data: bytes, place: tuple[int, int] | None) -> OrderAnswer | None:
    """What came of it; None if there is none, or this is another version.

    @param place: offset and end of the parameter.
    """
    if place is None or place[1] - place[0] < _ANSWER.size:
        return None
    _, _, version, result, number, yet = _ANSWER.unpack_from(data, place[0])
    if version != ORDER_ANSWER_VERSION or result not in _RESULTS:
        return None
    start = place[0] + _ANSWER.size
    why = data[start : min(place[1], start + LONGEST_SENTENCE)].decode("utf-8", "replace")
    return OrderAnswer(number, Result(result), None if yet == _NOT_KNOWN else yet, printable(why, None))


def _cut(text: str, most: int) -> bytes:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").encode()


def _padded(tlv: bytes) -> bytes:
    return tlv + bytes(-len(tlv) % 4)


_RESULTS: Final = frozenset(Result)
