"""Messages of ENRP about what registrars hold: handle tables and updates (RFC 5353 sections 2.2 to 2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Final, Self

from rserpool.core.errors import WireError
from rserpool.core.wire.frame import message
from rserpool.core.wire.parameters import PoolElementParameter, decode_element, pool_element, pool_handle
from rserpool.core.wire.quick import quick
from rserpool.core.wire.tlv import POOL_ELEMENT, POOL_HANDLE, handle_and, missing, once, parameters, unexpected

_FLAG: Final = 0x01
_MORE_TO_SEND: Final = 0x02
_SERVERS: Final = Struct("!II")
_UPDATE: Final = Struct("!IIHH")


def parties(data: bytes) -> tuple[int, int]:
    """The server identifiers of sender and receiver of a message."""
    sender, receiver = _SERVERS.unpack_from(data, 4)
    return sender, receiver


@dataclass(frozen=True, slots=True)
class Between:
    """What every message begins with: server identifiers; a receiver of 0 is whoever gets it."""

    TYPE: ClassVar[int]
    sender: int
    receiver: int

    def made(self, flags: int, parameters: Sequence[bytes]) -> bytes:
        """The bytes of the message with these flags and parameters."""
        return message(self.TYPE, flags, _SERVERS.pack(self.sender, self.receiver), parameters)


@dataclass(frozen=True, slots=True)
class HandleTableRequest(Between):
    """ENRP_HANDLE_TABLE_REQUEST (RFC 5353 section 2.2).

    @ivar own_children_only: the W flag: only elements whose home is the receiver.
    """

    TYPE: ClassVar[int] = 0x02
    own_children_only: bool = False

    def _encode(self) -> bytes:
        return self.made(_FLAG if self.own_children_only else 0, ())

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        once(data, 12, end, frozenset(), report)
        return cls(*parties(data), bool(flags & _FLAG))


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """One pool, or a part of it, in a handle table (RFC 5353 section 2.3)."""

    handle: bytes
    elements: tuple[PoolElementParameter, ...]


@dataclass(frozen=True, slots=True)
class HandleTableResponse(Between):
    """ENRP_HANDLE_TABLE_RESPONSE (RFC 5353 section 2.3).

    @ivar more_to_send: the M flag.
    @ivar rejected: the R flag.
    """

    TYPE: ClassVar[int] = 0x03
    entries: tuple[PoolEntry, ...] = ()
    more_to_send: bool = False
    rejected: bool = False

    def _encode(self) -> bytes:
        return encode_handle_table_response(
            self.sender,
            self.receiver,
            [(entry.handle, list(map(pool_element, entry.elements))) for entry in self.entries],
            more_to_send=self.more_to_send,
            rejected=self.rejected,
        )

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        entries: list[tuple[bytes, list[PoolElementParameter]]] = []
        for kind, start, stop in parameters(data, 12, end):
            if kind == POOL_ELEMENT and entries:
                entries[-1][1].append(decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE:
                entries.append((data[start + 4 : stop], []))
            else:
                unexpected(data, kind, start, stop, report)
        return cls(
            *parties(data),
            tuple(PoolEntry(handle, tuple(elements)) for handle, elements in entries),
            bool(flags & _MORE_TO_SEND),
            bool(flags & _FLAG),
        )


class UpdateAction(IntEnum):
    """What an ENRP_HANDLE_UPDATE asks for."""

    ADD_PE = 0x0000
    DEL_PE = 0x0001


_ACTIONS: Final = tuple(UpdateAction)


@quick
@dataclass(frozen=True, slots=True)
class HandleUpdate(Between):
    """ENRP_HANDLE_UPDATE (RFC 5353 section 2.4).

    @ivar action: an L{UpdateAction}; a plain C{int} where a peer sent one that is reserved.
    @ivar takeover_suggested: whether the sender would like the receiver to become the element's home
        (draft-dreibholz-rserpool-enrp-takeover, flag 0x01).
    """

    TYPE: ClassVar[int] = 0x04
    action: UpdateAction | int
    handle: bytes
    element: PoolElementParameter
    takeover_suggested: bool = False

    def _encode(self) -> bytes:
        element = pool_element(self.element)
        return encode_handle_update(
            self.sender, self.receiver, self.action, self.handle, element, self.takeover_suggested
        )

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        if end < 16:
            raise WireError("the update action is missing", information=data[:end])
        sender, receiver, action, _ = _UPDATE.unpack_from(data, 4)
        handle, place = handle_and(data, 16, end, POOL_ELEMENT, report)
        start, stop = place or missing("Pool Element")
        if action < len(_ACTIONS):
            action = _ACTIONS[action]
        element = decode_element(data, start, stop, report)
        return cls(sender, receiver, action, handle, element, bool(flags & _FLAG))


def encode_handle_update(
    sender: int, receiver: int, action: int, handle: bytes, element: bytes, takeover_suggested: bool = False
) -> bytes:
    """An ENRP_HANDLE_UPDATE whose Pool Element parameter is encoded already."""
    flags = _FLAG if takeover_suggested else 0
    return message(HandleUpdate.TYPE, flags, _UPDATE.pack(sender, receiver, action, 0), (pool_handle(handle), element))


def encode_handle_table_response(
    sender: int,
    receiver: int,
    entries: Iterable[tuple[bytes, Sequence[bytes]]],
    *,
    more_to_send: bool = False,
    rejected: bool = False,
) -> bytes:
    """An ENRP_HANDLE_TABLE_RESPONSE; each entry is a pool handle and its encoded Pool Element parameters."""
    flags = (_FLAG if rejected else 0) | (_MORE_TO_SEND if more_to_send else 0)
    parameters = [part for handle, elements in entries for part in (pool_handle(handle), *elements)]
    return message(HandleTableResponse.TYPE, flags, _SERVERS.pack(sender, receiver), parameters)
