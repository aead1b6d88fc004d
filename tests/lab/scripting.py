"""A user of rsplib's scripting service, for the lab alone: an element of it runs whatever it is sent.

The layouts are those that its own C{scriptingclient} was seen to speak (PPID 35): type, flags (8 bits each), length
(16), and what follows. There are no cookies: what an element has not finished is sent to the next one once more.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from struct import Struct
from typing import Any, Final

from rserpool.services.errand import Errand
from rserpool.services.wants import Completed, Elsewhere, Say
from rserpool.user import PoolUserService

PPID_SCRIPTING: Final = 35
PIECE: Final = 16_384
"""Bytes of a file in a message, at most; a piece without any is its end."""
SILENCE: Final = 20.0
"""Seconds after which an element that says nothing has failed."""
KEEP_ALIVE: Final = 1.0
"""Seconds between two questions whether it is there."""
_HEAD: Final = Struct("!BBH")


class Kind(IntEnum):
    """What a message says: who sends it, and what follows its head."""

    READY = 1  # the element: its name
    UPLOAD = 2  # the user: a piece of the work, then of its environment
    DOWNLOAD = 3  # the element: a piece of the result
    KEEP_ALIVE = 4  # both
    KEEP_ALIVE_ACK = 5  # both; the element's has a status (32 bits)
    STATUS = 6  # the element: 0 (32 bits) when work begins, its exit status when it has ended
    ENVIRONMENT = 7  # both: SHA-1 of the environment; the element's has flag 1 if it is to be sent


class Script:
    """Something to be run: see L{Wants<rserpool.services.wants.Wants>}.

    @param work: a tar.gz with the program C{ssrun}, which is called with the names of its output and its environment.
    @param environment: a file that elements may keep for the next time; None for none.
    @ivar output: what came back.
    @ivar status: its exit status; None until it has ended.
    @ivar uploads: for each element that served, whether it wanted the environment.
    """

    def __init__(self, work: bytes, environment: bytes | None = None) -> None:
        self.work = work
        self.environment = environment
        self.output = b""
        self.status: int | None = None
        self.uploads: list[bool] = []
        self._begun = False
        self._heard_by = self._ask_at = 0.0

    def served(self, resumed: bool, now: float) -> list[Any]:
        """An element serves; it speaks first."""
        self.output, self.status, self._begun = b"", None, False
        self._heard_by, self._ask_at = now + SILENCE, now + KEEP_ALIVE
        return []

    def receive(self, data: bytes, now: float) -> list[Any]:
        """A message came."""
        kind, flags, length = _HEAD.unpack_from(data)
        if length != len(data):
            return [Elsewhere(f"a message of {len(data)} bytes says that it has {length}")]
        self._heard_by = now + SILENCE
        body = data[_HEAD.size :]
        match kind:
            case Kind.READY:
                named = [] if self.environment is None else [_said(Kind.ENVIRONMENT, self._digest())]
                return [*named, *_pieces(self.work)]
            case Kind.ENVIRONMENT if self.environment is not None and body == self._digest():
                self.uploads.append(bool(flags & 1))
                return _pieces(self.environment) if flags & 1 else []
            case Kind.STATUS if not self._begun:
                self._begun = True
            case Kind.STATUS:
                self.status = int.from_bytes(body, "big")
                return [Completed()] if self.status else []
            case Kind.KEEP_ALIVE:
                return [_said(Kind.KEEP_ALIVE_ACK)]
            case Kind.DOWNLOAD if body:
                self.output += body
            case Kind.DOWNLOAD:
                return [Completed()]
        return []

    def tick(self, now: float) -> list[Any]:
        """Time went by."""
        if now >= self._heard_by:
            return [Elsewhere("it says nothing")]
        if now < self._ask_at:
            return []
        self._ask_at = now + KEEP_ALIVE
        return [_said(Kind.KEEP_ALIVE)] if self._begun else []

    def next_deadline(self) -> float | None:
        """When L{tick} is due."""
        return min(self._heard_by, self._ask_at) if self._heard_by else None

    def _digest(self) -> bytes:
        return hashlib.sha1(self.environment or b"").digest()


class Running(Errand):
    """A script, under way."""

    def __init__(self, user: PoolUserService, pool: bytes, script: Script) -> None:
        super().__init__(user, pool, script, "scripting", ppid=PPID_SCRIPTING)


def _said(kind: Kind, body: bytes = b"") -> Say:
    return Say(_HEAD.pack(kind, 0, _HEAD.size + len(body)) + body)


def _pieces(file: bytes) -> list[Any]:
    pieces = [file[begin : begin + PIECE] for begin in range(0, len(file), PIECE)]
    return [_said(Kind.UPLOAD, piece) for piece in [*pieces, b""]]
