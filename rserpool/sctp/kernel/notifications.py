"""What the kernel tells beside messages: notifications (RFC 6458 section 6.1), as linux/sctp.h lays them out.

They are read here and not by pysctp, whose receive path ends the process on a SEND FAILED that holds bytes which are
not UTF-8. What a peer sent is part of some of them, so anything is survived: what makes no sense is C{None}.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from socket import ntohl
from typing import TypeAlias

from rserpool.sctp.kernel.sockaddr import host_and_port

ASSOC_CHANGE = 0x8001
PEER_ADDR_CHANGE = 0x8002
SHUTDOWN_EVENT = 0x8005
PARTIAL_DELIVERY_EVENT = 0x8006
SENDER_DRY_EVENT = 0x8009
SEND_FAILED_EVENT = 0x800D
EVENTS = (ASSOC_CHANGE, PEER_ADDR_CHANGE, SHUTDOWN_EVENT, PARTIAL_DELIVERY_EVENT, SEND_FAILED_EVENT)
"""What an endpoint subscribes to. SENDER DRY is left out: whoever waits for room hears of it by the socket."""

COMM_UP = 0
COMM_LOST = 1
RESTART = 2
SHUTDOWN_COMP = 3
CANT_STR_ASSOC = 4

ADDRESS_STATES = (
    "available", "unreachable", "removed", "added", "made primary", "confirmed", "potentially failed",
)  # fmt: skip
"""States of a peer's address (SPC), in the kernel's order."""

# All begin with type, flags and length.
_HEAD = struct.Struct("=HHI")
_ASSOC_CHANGE = struct.Struct("=8xHHHHi")
_ADDRESS_CHANGE = struct.Struct("=8x128siii")
_SHUTDOWN = struct.Struct("=8xi")
_PARTIAL_DELIVERY = struct.Struct("=8xIiII")
_DRY = struct.Struct("=8xi")
_SEND_FAILED = struct.Struct("=8xIHHIIii")


@dataclass(frozen=True, slots=True)
class AssociationChange:
    """An association comes up, restarts or ends.

    @ivar error: the cause code of the peer's ABORT in host order, or 0.
    @ivar aborted: whether the peer's ABORT came with it.
    """

    association: int
    state: int
    error: int
    streams: int
    aborted: bool


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A path changes its state, or the peer has gained or lost an address (RFC 5061).

    @ivar state: one of L{ADDRESS_STATES}.
    """

    association: int
    host: str
    state: str


@dataclass(frozen=True, slots=True)
class SendFailed:
    """A message, or one fragment of it, was not acknowledged by the peer.

    @ivar fragment: the flags of its DATA chunk: 2 the first of a message, 1 the last.
    """

    association: int
    data: bytes
    ppid: int
    fragment: int


@dataclass(frozen=True, slots=True)
class PeerShutdown:
    """The peer takes no more data."""

    association: int


@dataclass(frozen=True, slots=True)
class DeliveryAborted:
    """The rest of a message that was delivered in part will not come."""

    association: int
    stream: int


@dataclass(frozen=True, slots=True)
class SenderDry:
    """All that was sent is acknowledged."""

    association: int


Notification: TypeAlias = AssociationChange | AddressChange | SendFailed | PeerShutdown | DeliveryAborted | SenderDry


def parse(data: bytes) -> Notification | None:
    """Read one notification; C{None} for what is not known or cut short."""
    try:
        kind, _, length = _HEAD.unpack_from(data)
        match kind:
            case 0x8001:
                state, error, streams, _, association = _ASSOC_CHANGE.unpack_from(data)
                return AssociationChange(association, state, error, streams, len(data) > _ASSOC_CHANGE.size)
            case 0x8002:
                address, state, _, association = _ADDRESS_CHANGE.unpack_from(data)
                found = host_and_port(address)
                if found is None or not 0 <= state < len(ADDRESS_STATES):
                    return None
                return AddressChange(association, found[0], ADDRESS_STATES[state])
            case 0x800D:
                _, _, fragment, ppid, _, _, association = _SEND_FAILED.unpack_from(data)
                return SendFailed(association, data[_SEND_FAILED.size : length], ntohl(ppid), fragment)
            case 0x8005:
                return PeerShutdown(_SHUTDOWN.unpack_from(data)[0])
            case 0x8006:
                _, association, stream, _ = _PARTIAL_DELIVERY.unpack_from(data)
                return DeliveryAborted(association, stream)
            case 0x8009:
                return SenderDry(_DRY.unpack_from(data)[0])
    except struct.error:
        pass
    return None
