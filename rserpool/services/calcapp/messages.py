"""The messages of CalcApp, and its cookie, as rsplib has them: all numbers in network byte order."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen

PPID_CALCAPP: Final = 34
"""The payload protocol identifier of all messages."""
LARGEST: Final = 2**64 - 1
"""The most calculations of a job."""

_MESSAGE: Final = Struct("!BBHIQQ")
_STATE: Final = Struct("!IQQ")


class Kind(IntEnum):
    """What a message says."""

    REQUEST = 1
    ACCEPT = 2
    REJECT = 3
    ABORT = 4
    COMPLETE = 5
    KEEP_ALIVE = 6
    KEEP_ALIVE_ACK = 7


@frozen
class CalcApp:
    """A message: type, flags 0 (8 bits each), length 24 (16), job (32), size and calculations done (64 bits each).

    @ivar job: the number that the user gives its job.
    @ivar size: the calculations of the job; 0 where it does not matter: only C{REQUEST} and C{COMPLETE} have it.
    @ivar done: how many of them are done: in C{COMPLETE}.
    """

    kind: Kind
    job: int
    size: int = 0
    done: int = 0

    def encode(self) -> bytes:
        """Its bytes."""
        return _MESSAGE.pack(self.kind, 0, _MESSAGE.size, self.job, self.size, self.done)

    @classmethod
    def decode(cls, message: bytes) -> CalcApp:
        """Read it.

        @raise WireError: if it is something else.
        """
        if len(message) != _MESSAGE.size:
            raise WireError(f"no message of CalcApp: it has {len(message)} bytes")
        kind, _, length, job, size, done = _MESSAGE.unpack(message)
        if length != _MESSAGE.size or kind not in _KINDS:
            raise WireError(f"no message of CalcApp: type {kind}, length {length}")
        return cls(Kind(kind), job, size, done)


@frozen
class Progress:
    """How far a job is: what the cookie of its session says. Job (32 bits), its size, calculations done (64 bits each).

    @ivar size: the calculations of the job; C{done}: how many of them are done.
    """

    job: int
    size: int
    done: int = 0

    def encode(self) -> bytes:
        """The cookie."""
        return _STATE.pack(self.job, self.size, self.done)

    @classmethod
    def decode(cls, cookie: bytes) -> Progress:
        """Read it.

        @raise WireError: if it is no cookie of CalcApp.
        """
        if len(cookie) != _STATE.size:
            raise WireError(f"no cookie of CalcApp: it has {len(cookie)} bytes")
        job, size, done = _STATE.unpack(cookie)
        if done > size:
            raise WireError(f"no cookie of CalcApp: {done} of {size} calculations are done")
        return cls(job, size, done)


_KINDS = frozenset(Kind)
