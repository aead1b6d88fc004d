"""Private parameters of this software; others skip them silently (high bits 10 of the type, RFC 5354 section 3).

Each begins with a version. A receiver skips a version that it does not know, so that old and new versions live
together: a new meaning takes a new version, or a new type, and is never needed to understand the rest of the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct, pack, unpack_from
from typing import Final

from rserpool.core.frozen import frozen
from rserpool.core.handles import printable
from rserpool.core.identity import KINDS, LONGEST, Identity

ENCAPSULATION: Final = 0x8F01
"""The UDP port of SCTP over UDP (RFC 6951) at the transport address that stands before it."""
ENCAPSULATION_VERSION: Final = 1

SESSION_FRAMING: Final = 0x8F02
"""Inside Pool Element: how the element's sessions are framed at its user transport (docs/interop.md)."""
SESSION_FRAMING_VERSION: Final = 1
LAST_WILL: Final = 0x8F03
"""Beside the elements of an ASAP_BUSINESS_CARD: what their order means to who receives it."""
LAST_WILL_VERSION: Final = 1
DEAD: Final = 0x8F04
"""Beside the elements of an update: which ones were removed because they did not answer, and did not leave."""
DEAD_VERSION: Final = 1
MOST_DEAD: Final = 256
"""So many are told at once."""
OWNER: Final = 0x8F05
"""Between registrars alone: inside Pool Element the identity that registered it, in ENRP_PRESENCE that of its sender
(docs/interop.md)."""
OWNER_VERSION: Final = 1
DRAINING: Final = 0x8F06
"""Beside the PE identifier of ASAP_ENDPOINT_KEEP_ALIVE: whether the element is to drain; in its acknowledgement:
whether it does."""
DRAINING_VERSION: Final = 1
EVICTED: Final = 0x8F07
"""Between registrars alone, beside the Pool Element of an ENRP_HANDLE_UPDATE: how long that is refused."""
EVICTED_VERSION: Final = 1

REQUEST_FAILED: Final = 0x8F41
"""An error cause of ASAP_ERROR on the control channel of a session: the element's application failed at a request."""
REQUEST_FAILED_VERSION: Final = 1

_ENCAPSULATION: Final = Struct("!HHBxH")
_VERSION_AND_FLAGS: Final = Struct("!HHBBxx")
_FAILURE: Final = Struct("!BxxxI")
_STATE_AND_NUMBER: Final = Struct("!HHBBxxI")
_NOT_KNOWN: Final = 0xFFFFFFFF


@frozen
class Draining:
    """Whether an element drains, or is to drain: it stays, and no user gets it.

    @ivar connections: how many connections to it are open; None where that is not known, or not said.
    """

    drains: bool
    connections: int | None = None

    def encode(self) -> bytes:
        """The Draining parameter: type, length 12, version 1, state (1 drains, 0 serves), zeros, open connections."""
        open_yet = _NOT_KNOWN if self.connections is None else min(self.connections, _NOT_KNOWN - 1)
        return _STATE_AND_NUMBER.pack(DRAINING, 12, DRAINING_VERSION, int(self.drains), open_yet)


def decode_draining(data: bytes, place: tuple[int, int] | None) -> Draining | None:
    """What it says; None if there is none, or this is another version.

    @param place: offset and end of the parameter.
    """
    if place is None or place[1] - place[0] != 12:
        return None
    _, _, version, state, connections = _STATE_AND_NUMBER.unpack_from(data, place[0])
    if version != DRAINING_VERSION or state > 1:
        return None
    return Draining(bool(state), None if connections == _NOT_KNOWN else connections)


def encode_evicted(seconds: int) -> bytes:
    """The Evicted parameter: type, length 12, version 1, zeros, for how many seconds (32 bits)."""
    return _STATE_AND_NUMBER.pack(EVICTED, 12, EVICTED_VERSION, 0, seconds)


def decode_evicted(data: bytes, place: tuple[int, int] | None) -> int:
    """For how many seconds; 0 if there is none, or this is another version.

    @param place: offset and end of the parameter.
    """
    if place is None or place[1] - place[0] != 12:
        return 0
    _, _, version, _, seconds = _STATE_AND_NUMBER.unpack_from(data, place[0])
    return int(seconds) if version == EVICTED_VERSION else 0


def encode_encapsulation(port: int) -> bytes:
    """The parameter for a UDP port: type, length 8, version 1, zero, port.

    @raise struct.error: if it is no port number.
    """
    return _ENCAPSULATION.pack(ENCAPSULATION, 8, ENCAPSULATION_VERSION, port)


def decode_encapsulation(data: bytes, start: int, stop: int) -> int:
    """The UDP port; 0 if this is another version (or somebody else's parameter of the same type)."""
    if stop - start != 8:
        return 0
    _, _, version, port = _ENCAPSULATION.unpack_from(data, start)
    return int(port) if version == ENCAPSULATION_VERSION else 0


def encode_framing(version: int) -> bytes:
    """The Session Framing parameter: type, length 8, the version that the element speaks, zeros."""
    return _VERSION_AND_FLAGS.pack(SESSION_FRAMING, 8, version, 0)


def decode_framing(data: bytes, start: int, stop: int) -> int:
    """The version of the session framing; 0 if we do not know it (or this is somebody else's parameter)."""
    if stop - start != 8:
        return 0
    _, _, version, _ = _VERSION_AND_FLAGS.unpack_from(data, start)
    return int(version) if version == SESSION_FRAMING_VERSION else 0


@lru_cache(maxsize=1024)
def encode_owner(owner: Identity) -> bytes:
    """The Owner parameter: type, length, version 1, the kind of the identity (1 psk, 2 dns, 3 ip), zeros, its name."""
    name = owner.name.encode()
    return _VERSION_AND_FLAGS.pack(OWNER, 8 + len(name), OWNER_VERSION, 1 + KINDS.index(owner.kind)) + name


def padded_owner(owner: Identity) -> bytes:
    """The same, padded."""
    tlv = encode_owner(owner)
    return tlv + bytes(-len(tlv) % 4)


def decode_owner(data: bytes, start: int, stop: int) -> Identity | None:
    """The identity; None if this is another version, or no identity."""
    return _owner(data[start + 4 : stop])


@lru_cache(maxsize=1024)
def _owner(value: bytes) -> Identity | None:
    # The elements of a pool often have one owner: it is one object for all of them.
    if not 4 < len(value) <= 4 + LONGEST or value[0] != OWNER_VERSION or not 1 <= value[1] <= len(KINDS):
        return None
    try:
        return Identity(KINDS[value[1] - 1], value[4:].decode())
    except ValueError:
        return None


def encode_dead(identifiers: Sequence[int]) -> bytes:
    """The Dead Elements parameter: type, length, version 1, zeros, PE identifiers; L{MOST_DEAD} of them at most."""
    some = identifiers[:MOST_DEAD]
    return _VERSION_AND_FLAGS.pack(DEAD, 8 + 4 * len(some), DEAD_VERSION, 0) + pack(f"!{len(some)}I", *some)


def decode_dead(data: bytes, start: int, stop: int) -> tuple[int, ...]:
    """The PE identifiers; none if this is another version."""
    count, rest = divmod(stop - start - 8, 4)
    if rest or count < 1 or data[start + 4] != DEAD_VERSION:
        return ()
    return unpack_from(f"!{count}I", data, start + 8)


def encode_will(exclusive: bool) -> bytes:
    """The Last Will parameter: type, length 8, version 1, flag 0x01 if only the named elements may follow, zeros."""
    return _VERSION_AND_FLAGS.pack(LAST_WILL, 8, LAST_WILL_VERSION, int(exclusive))


def decode_will(data: bytes, start: int, stop: int) -> bool:
    """Whether only the named elements may follow; False if this is another version."""
    if stop - start != 8:
        return False
    _, _, version, flags = _VERSION_AND_FLAGS.unpack_from(data, start)
    return version == LAST_WILL_VERSION and bool(flags & 1)


def encode_failure(number: int, reason: str) -> bytes:
    """The information of the error cause Request Failed: version 1, zeros, the number of the request, a sentence.

    @param reason: cut after 1,000 bytes.
    """
    return _FAILURE.pack(REQUEST_FAILED_VERSION, number) + reason.encode("utf-8", "replace")[:1000]


def decode_failure(information: bytes) -> tuple[int, str] | None:
    """The number of the request and the sentence; None if this is another version."""
    if len(information) < _FAILURE.size or information[0] != REQUEST_FAILED_VERSION:
        return None
    number = int(_FAILURE.unpack_from(information)[1])
    return number, printable(information[_FAILURE.size :].decode("utf-8", "replace"))
