"""What an SNMP agent and those that serve a part of its objects tell each other: AgentX PDUs (RFC 2741 section 6)."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple, TypeAlias

from rserpool.core.frozen import frozen

VERSION: Final = 1
HEAD: Final = 20
"""Bytes of the header of a PDU (section 6.1)."""
MOST_BYTES: Final = 65536
"""So long may a PDU be that we are told."""
MOST_NUMBERS: Final = 128
"""So many sub-identifiers has a name (section 5.1)."""
OTHER_CONTEXT: Final = 0x08
NETWORK_ORDER: Final = 0x10

Oid: TypeAlias = tuple[int, ...]
"""The name of an object."""


class Kind(IntEnum):
    """What a PDU is (section 6.1)."""

    OPEN = 1
    CLOSE = 2
    REGISTER = 3
    UNREGISTER = 4
    GET = 5
    GET_NEXT = 6
    GET_BULK = 7
    TEST_SET = 8
    COMMIT_SET = 9
    UNDO_SET = 10
    CLEANUP_SET = 11
    PING = 13
    RESPONSE = 18


class Syntax(IntEnum):
    """What a value is (section 5.4)."""

    INTEGER = 2
    OCTETS = 4
    UNSIGNED = 66
    TICKS = 67
    NO_SUCH_OBJECT = 128
    NO_SUCH_INSTANCE = 129
    END_OF_MIB = 130


class Status(IntEnum):
    """How a request went (section 6.2.16)."""

    FINE = 0
    FAILED = 5
    COMMIT_FAILED = 14
    UNDO_FAILED = 15
    NOT_WRITABLE = 17
    NOT_OPEN = 257
    OTHER_CONTEXT = 262
    DUPLICATE = 263
    MALFORMED = 266


class Malformed(ValueError):
    """Bytes break the rules of RFC 2741."""


class Value(NamedTuple):
    """The value of an object: a number or bytes, as its syntax has it; nothing for an exception."""

    syntax: Syntax
    value: int | bytes = b""


class SearchRange(NamedTuple):
    """A name, and where what is looked for ends (section 5.2).

    @ivar include: whether C{start} itself is looked for.
    @ivar end: the first name that is not looked for any more; empty where there is none.
    """

    start: Oid
    include: bool
    end: Oid


@frozen
class Region:
    """A part of the tree: what begins with a name, one of whose numbers may be a range (section 6.2.3).

    @ivar position: of the number that is a range, from 1; 0 if none is.
    @ivar upper: where this range ends.
    """

    subtree: Oid
    position: int = 0
    upper: int = 0

    def encode(self, before: bytes) -> bytes:
        """
        @param before: the first two bytes, a timeout and a priority.
        """
        data = before + bytes([self.position, 0]) + encode_oid(self.subtree)
        return data + struct.pack("!I", self.upper) if self.position else data


@frozen
class Pdu:
    """One message.

    @ivar kind: one of L{Kind}, or another number.
    """

    kind: int
    session: int
    transaction: int
    packet: int
    payload: bytes = b""
    flags: int = NETWORK_ORDER

    def encode(self) -> bytes:
        """Its bytes; the payload is in network order."""
        numbers = (self.session, self.transaction, self.packet, len(self.payload))
        return struct.pack("!BBBB4I", VERSION, self.kind, self.flags, 0, *numbers) + self.payload

    def reading(self) -> Reading:
        """Read its payload."""
        return Reading(self.payload, ">" if self.flags & NETWORK_ORDER else "<")


def take(data: bytes) -> Pdu | None:
    """The PDU at the beginning; None if it is not whole yet.

    @raise Malformed: if no PDU begins so: where the next one begins is not known.
    """
    if len(data) < HEAD:
        return None
    version, kind, flags = data[:3]
    if version != VERSION:
        raise Malformed(f"AgentX version {version}")
    order = ">" if flags & NETWORK_ORDER else "<"
    session, transaction, packet, length = struct.unpack_from(f"{order}4I", data, 4)
    if length % 4 or length > MOST_BYTES:
        raise Malformed(f"a PDU of {length} bytes")
    if len(data) < HEAD + length:
        return None
    return Pdu(kind, session, transaction, packet, data[HEAD : HEAD + length], flags)


class Reading:
    """Reads a payload from its beginning."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order = order
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether something is left."""
        return self._at < len(self._data)

    def numbers(self, form: str) -> tuple[int, ...]:
        """As C{struct} has it.

        @raise Malformed: if there are not so many bytes.
        """
        try:
            found = struct.unpack_from(self._order + form, self._data, self._at)
        except struct.error:
            raise Malformed("a PDU ends too early") from None
        self._at += struct.calcsize(self._order + form)
        return found

    def oid(self) -> tuple[Oid, bool]:
        """A name, and whether it is included (section 5.1).

        @raise Malformed: if there is none.
        """
        length, prefix, include, _ = self.numbers("BBBB")
        if length > MOST_NUMBERS:
            raise Malformed(f"a name of {length} numbers")
        before = (1, 3, 6, 1, prefix) if prefix else ()
        return before + self.numbers(f"{length}I"), bool(include)

    def octets(self) -> bytes:
        """A string (section 5.3).

        @raise Malformed: if it is not whole.
        """
        (length,) = self.numbers("I")
        start, self._at = self._at, self._at + length + -length % 4
        if self._at > len(self._data):
            raise Malformed("a string ends too early")
        return self._data[start : start + length]

    def ranges(self) -> list[SearchRange]:
        """All that is left, as search ranges.

        @raise Malformed: if that is something else.
        """
        found = []
        while self.more:
            start, include = self.oid()
            found.append(SearchRange(start, include, self.oid()[0]))
        return found


def encode_oid(oid: Oid, include: bool = False) -> bytes:
    """A name (section 5.1)."""
    return struct.pack(f"!BBBB{len(oid)}I", len(oid), 0, include, 0, *oid)


def encode_octets(data: bytes) -> bytes:
    """A string (section 5.3)."""
    return struct.pack("!I", len(data)) + data + bytes(-len(data) % 4)


def encode_value(oid: Oid, value: Value) -> bytes:
    """A name and its value: a VarBind (section 5.4)."""
    data = b""
    if isinstance(value.value, int):
        data = struct.pack("!i" if value.syntax == Syntax.INTEGER else "!I", value.value)
    elif value.syntax == Syntax.OCTETS:
        data = encode_octets(value.value)
    return struct.pack("!HH", value.syntax, 0) + encode_oid(oid) + data
