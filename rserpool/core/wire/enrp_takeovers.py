"""What the messages of ENRP have in common, and those of a takeover, which say little more (RFC 5353 section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import ClassVar, Final, Self

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.wire.frame import message
from rserpool.core.wire.tlv import once

SERVERS: Final = Struct("!II")
_TAKEOVER: Final = Struct("!III")


def parties(data: bytes) -> tuple[int, int]:
    """The identifiers of sender and receiver."""
    sender, receiver = SERVERS.unpack_from(data, 4)
    return sender, receiver


@frozen
class Between:
    """What every message begins with, server identifiers (a receiver of 0 is whoever gets it); some say no more."""

    TYPE: ClassVar[int]
    sender: int
    receiver: int

    def _made(self, flags: int, parameters: Sequence[bytes]) -> bytes:
        return message(self.TYPE, flags, SERVERS.pack(self.sender, self.receiver), parameters)

    def _encode(self) -> bytes:
        return self._made(0, ())

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        once(data, 12, end, frozenset(), report)
        return cls(*parties(data))


@frozen
class _Takeover(Between):
    """What names the registrar that is to be replaced."""

    target: int

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, _TAKEOVER.pack(self.sender, self.receiver, self.target), ())

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        if end < 16:
            raise WireError("the target of the takeover is missing", information=data[:end])
        once(data, 16, end, frozenset(), report)
        return cls(*_TAKEOVER.unpack_from(data, 4))


@frozen
class InitTakeover(_Takeover):
    """ENRP_INIT_TAKEOVER (RFC 5353 section 2.7)."""

    TYPE: ClassVar[int] = 0x07


@frozen
class InitTakeoverAck(_Takeover):
    """ENRP_INIT_TAKEOVER_ACK (RFC 5353 section 2.8)."""

    TYPE: ClassVar[int] = 0x08


@frozen
class TakeoverServer(_Takeover):
    """ENRP_TAKEOVER_SERVER (RFC 5353 section 2.9)."""

    TYPE: ClassVar[int] = 0x09
