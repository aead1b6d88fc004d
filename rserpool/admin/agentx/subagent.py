"""One conversation with an SNMP agent (RFC 2741 section 7): bytes go in, bytes and requests come out. Read only."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import count
from typing import Final

from rserpool.admin.agentx.view import View
from rserpool.admin.agentx.wire import (
    HEAD,
    OTHER_CONTEXT,
    Kind,
    Malformed,
    Oid,
    Pdu,
    Reading,
    Region,
    SearchRange,
    Status,
    Syntax,
    Value,
    encode_octets,
    encode_oid,
    encode_value,
    take,
)

PATIENCE: Final = 10
"""Seconds that the agent waits for an answer of ours."""
PRIORITY: Final = 127
"""The usual one of those who register."""
SHUTDOWN: Final = 5
LONGEST_BULK: Final = 32768
"""Bytes of an answer to GetBulk, which may be shorter than what is asked for (section 7.2.3.3)."""
LONGEST_ANSWER: Final = 262144
REFUSED: Final[dict[int, Status]] = {
    Kind.TEST_SET: Status.NOT_WRITABLE,
    Kind.COMMIT_SET: Status.COMMIT_FAILED,
    Kind.UNDO_SET: Status.UNDO_FAILED,
}
ASKS: Final[frozenset[int]] = frozenset({Kind.GET, Kind.GET_NEXT, Kind.GET_BULK})


class Closed(Exception):
    """The agent ended the conversation, or never began it."""


class Subagent:
    """What we have said and heard.

    @param description: what the agent may show.
    @param refused: is told what the agent does not take, and why: L{Status}, or another number.
    @ivar session: the number of it; None until the agent has opened it.
    @ivar requests: what is to be answered, in its order.
    @ivar waiting: whether the agent owes an answer.
    """

    def __init__(self, description: bytes, refused: Callable[[Region, int], object]) -> None:
        self._description = description
        self._refused = refused
        self._packets = count(1)
        self._data = b""
        self._asked: dict[int, tuple[Kind, Region | None]] = {}
        self._kept: set[Region] = set()
        self.session: int | None = None
        self.requests: deque[Pdu] = deque()

    @property
    def waiting(self) -> bool:
        return bool(self._asked)

    def open(self) -> bytes:
        """The first bytes."""
        payload = bytes([PATIENCE, 0, 0, 0]) + encode_oid(()) + encode_octets(self._description[:255])
        return self._ask(Kind.OPEN, payload)

    def ping(self) -> bytes:
        """Ask whether the agent lives, unless it owes an answer."""
        return b"" if self.waiting else self._ask(Kind.PING, b"")

    def close(self) -> bytes:
        """The last bytes."""
        return b"" if self.session is None else self._ask(Kind.CLOSE, bytes([SHUTDOWN, 0, 0, 0]))

    def keep(self, regions: Collection[Region]) -> bytes:
        """Serve these, and no others any more."""
        out, wanted = b"", set(regions)
        for region in sorted(self._kept - wanted, key=_subtree):
            out += self._ask(Kind.UNREGISTER, region.encode(bytes([0, PRIORITY])), region)
        for region in sorted(wanted - self._kept, key=_subtree):
            out += self._ask(Kind.REGISTER, region.encode(bytes([0, PRIORITY])), region)
        self._kept = wanted
        return out

    def receive(self, data: bytes) -> None:
        """Take what the agent says.

        @raise Malformed: if that is no AgentX.
        @raise Closed: if it ends the conversation.
        """
        self._data += data
        while (pdu := take(self._data)) is not None:
            self._data = self._data[HEAD + len(pdu.payload) :]
            if pdu.kind == Kind.RESPONSE:
                self._answered(pdu)
            elif pdu.kind == Kind.CLOSE:
                raise Closed("it closed the session")
            elif pdu.kind != Kind.CLEANUP_SET:
                self.requests.append(pdu)

    def answer(self, request: Pdu, view: View) -> bytes:
        """What is to be said to a request."""
        if request.session != self.session:
            return _response(request, Status.NOT_OPEN)
        if request.kind not in ASKS:
            status = REFUSED.get(request.kind, Status.MALFORMED)
            return _response(request, status, index=int(request.kind == Kind.TEST_SET))
        try:
            reading = request.reading()
            if request.flags & OTHER_CONTEXT:
                return _response(request, Status.OTHER_CONTEXT if reading.octets() else Status.MALFORMED)
            if request.kind == Kind.GET_BULK:
                return _response(request, Status.FINE, _bulk(reading, view))
            found = _got if request.kind == Kind.GET else _following
            return _response(request, Status.FINE, _bounded(found(reading.ranges(), view)))
        except Malformed:
            return _response(request, Status.MALFORMED)
        except OverflowError:
            return _response(request, Status.FAILED, index=1)

    def _ask(self, kind: Kind, payload: bytes, region: Region | None = None) -> bytes:
        packet = next(self._packets)
        self._asked[packet] = kind, region
        return Pdu(kind, self.session or 0, 0, packet, payload).encode()

    def _answered(self, pdu: Pdu) -> None:
        kind, region = self._asked.pop(pdu.packet, (None, None))
        _, status, _ = pdu.reading().numbers("IHH")
        if kind == Kind.OPEN:
            if status:
                raise Closed(f"it refused us, error {status}")
            self.session = pdu.session
        elif kind == Kind.PING and status:
            raise Closed(f"it does not know us any more, error {status}")
        elif kind == Kind.REGISTER and region is not None and status:
            self._refused(region, status)


def _got(ranges: list[SearchRange], view: View) -> Iterator[tuple[Oid, Value]]:
    return ((wanted.start, view.get(wanted.start)) for wanted in ranges)


def _following(ranges: list[SearchRange], view: View) -> Iterator[tuple[Oid, Value]]:
    return map(view.next, ranges)


def _bulk(reading: Reading, view: View) -> bytes:
    once, repetitions = reading.numbers("HH")
    ranges = reading.ranges()
    out = _bounded(_following(ranges[:once], view))
    again = ranges[once:]
    for number in range(repetitions if again else 0):
        found = list(_following(again, view))
        some = b"".join(encode_value(*each) for each in found)
        if number and len(out) + len(some) > LONGEST_BULK:
            break
        out = _bounded_bytes(out + some)
        if all(value.syntax == Syntax.END_OF_MIB for _, value in found):
            break
        again = [SearchRange(oid, False, before.end) for before, (oid, _) in zip(again, found, strict=True)]
    return out


def _bounded(found: Iterator[tuple[Oid, Value]]) -> bytes:
    """
    @raise OverflowError: if they are too long together.
    """
    parts, length = [], 0
    for oid, value in found:
        parts.append(encode_value(oid, value))
        length += len(parts[-1])
        if length > LONGEST_ANSWER:
            raise OverflowError
    return b"".join(parts)


def _bounded_bytes(data: bytes) -> bytes:
    if len(data) > LONGEST_ANSWER:
        raise OverflowError
    return data


def _response(request: Pdu, status: Status, found: bytes = b"", index: int = 0) -> bytes:
    payload = struct.pack("!IHH", 0, status, index) + found
    return Pdu(Kind.RESPONSE, request.session, request.transaction, request.packet, payload).encode()


def _subtree(region: Region) -> Oid:
    return region.subtree
