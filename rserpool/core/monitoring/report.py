"""The one message of rsplib's Component Status Protocol, a UDP datagram: bytes <-> Report.

No RFC describes it. The layout, in network byte order, is that of rsplib 3.4.4::

    u8 type = 1   u8 flags (0x01: final)   u16 length   u32 version = 0x0200
    u64 sender (kind << 56 | identifier)   u64 microseconds since the sender's start
    u32 microseconds between two reports
    char[128] location   char[128] status  (ended by a 0 octet)
    u16 workload (0xffff: none)            u16 number of associations, each of them:
        u64 peer   u64 microseconds (all bits set: not known)   u16 flags   u16 IP protocol   u32 PPID
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from struct import Struct
from typing import Final

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen

CSP_PORT = 2960
"""The UDP port of a server of this protocol."""
VERSION: Final = 0x0200
TEXT = 127
"""Octets that a location or a status may have."""
MOST_ASSOCIATIONS = 2500
"""So many are reported at most: the datagram fits into 65,507 octets."""

_REPORT: Final = 1
_FINAL: Final = 0x01
_HEADER: Final = Struct("!BBHIQQI128s128sHH")
_ASSOCIATION: Final = Struct("!QQHHI")
_NO_WORKLOAD: Final = 0xFFFF
_FULL: Final = 0xFFFE
_UNKNOWN: Final = 2**64 - 1
_OBJECT: Final = 2**56 - 1
MICROSECOND: Final = 1e-6


class Kind(IntEnum):
    """What a component is; a monitor may meet numbers that are none of these."""

    REGISTRAR = 1
    POOL_ELEMENT = 2
    POOL_USER = 3


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """Who reports, or who is at the other end of an association.

    @ivar kind: a L{Kind}, or another number up to 255.
    @ivar identifier: of up to 56 bits: the server identifier of a registrar, the PE identifier of an element, for a
        user a random number; 0 where it is not known.
    """

    kind: int
    identifier: int

    @property
    def number(self) -> int:
        """As it stands in a report."""
        return (self.kind & 0xFF) << 56 | self.identifier & _OBJECT


@frozen
class AssociationReport:
    """One association of a component.

    @ivar protocol: the IP protocol number: 132 for SCTP, 6 for TCP.
    @ivar ppid: the payload protocol identifier: 11 for ASAP, 12 for ENRP.
    @ivar duration: how long it has been up, in seconds; None where that is not known.
    """

    peer: Component
    protocol: int
    ppid: int
    duration: float | None = None
    flags: int = 0


@frozen
class Report:
    """What one component says of itself.

    @ivar uptime: seconds since it started.
    @ivar interval: seconds between two reports.
    @ivar location: host name and addresses, 127 octets of UTF-8 at most.
    @ivar status: what it does, in words, 127 octets of UTF-8 at most.
    @ivar workload: from 0.0 to 1.0; None where there is none.
    @ivar final: it says goodbye.
    @ivar more: how many associations it has beside those.
    """

    sender: Component
    uptime: float
    interval: float
    location: str = ""
    status: str = ""
    workload: float | None = None
    associations: tuple[AssociationReport, ...] = ()
    final: bool = False
    more: int = 0


def encode(report: Report) -> bytes:
    """The datagram of a report; what does not fit into it is cut: texts, numbers, associations past
    L{MOST_ASSOCIATIONS}."""
    workload = _NO_WORKLOAD if report.workload is None else round(min(1.0, max(0.0, report.workload)) * _FULL)
    associations = report.associations[:MOST_ASSOCIATIONS]
    header = _HEADER.pack(
        _REPORT,
        _FINAL if report.final else 0,
        _HEADER.size + len(associations) * _ASSOCIATION.size,
        VERSION,
        report.sender.number,
        _microseconds(report.uptime, _UNKNOWN),
        _microseconds(report.interval, 2**32 - 1),
        _octets(report.location),
        _octets(report.status),
        workload,
        len(associations),
    )
    return header + b"".join(
        _ASSOCIATION.pack(
            one.peer.number,
            _UNKNOWN if one.duration is None else _microseconds(one.duration, _UNKNOWN - 1),
            one.flags,
            one.protocol,
            one.ppid,
        )
        for one in associations
    )


def decode(data: bytes, most: int = MOST_ASSOCIATIONS) -> Report:
    """Read a datagram; texts that are not UTF-8 are read as far as they are.

    @param most: so many associations are read; of those beyond that the number is known (C{more}).
    @raise WireError: if it is no report, or one of another version.
    """
    if len(data) < _HEADER.size:
        raise WireError(f"{len(data)} octets are no status report")
    fields = _HEADER.unpack_from(data)
    kind, flags, length, version, sender, uptime, interval, location, status, workload, count = fields
    if kind != _REPORT or version != VERSION:
        raise WireError(f"a message of type {kind}, version 0x{version:x} is no status report")
    if not length == len(data) == _HEADER.size + count * _ASSOCIATION.size:
        raise WireError(f"a status report of {len(data)} octets tells of {length} octets and {count} associations")
    return Report(
        _component(sender),
        uptime * MICROSECOND,
        interval * MICROSECOND,
        _text(location),
        _text(status),
        None if workload == _NO_WORKLOAD else workload / _FULL,
        tuple(
            AssociationReport(_component(peer), protocol, ppid, None if age == _UNKNOWN else age * MICROSECOND, bits)
            for peer, age, bits, protocol, ppid in islice(_ASSOCIATION.iter_unpack(data[_HEADER.size :]), most)
        ),
        bool(flags & _FINAL),
        max(0, count - most),
    )


def _component(number: int) -> Component:
    kind = number >> 56
    return Component(Kind(kind) if kind in Kind._value2member_map_ else kind, number & _OBJECT)


def _microseconds(seconds: float, most: int) -> int:
    return min(most, max(0, round(seconds / MICROSECOND)))


def _octets(text: str) -> bytes:
    octets = text.encode("utf-8", "replace").partition(b"\0")[0]
    # Not in the middle of a character.
    return octets if len(octets) <= TEXT else octets[:TEXT].decode("utf-8", "ignore").encode()


def _text(octets: bytes) -> str:
    return octets[:TEXT].partition(b"\0")[0].decode("utf-8", "replace")
