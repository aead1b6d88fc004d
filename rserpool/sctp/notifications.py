"""What a stack tells of its associations beside their messages: notifications (RFC 6458 section 6.1).

They are laid out in one way, and numbered by each stack in its own. What a peer sent is part of some of them, so
anything is survived.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import Enum
from socket import ntohl
from typing import TypeAlias

from rserpool.core.frozen import frozen


class Change(Enum):
    """What has become of an association (RFC 6458 section 6.1.1), in the order in which all stacks number it."""

    COMM_UP = "up"
    COMM_LOST = "lost"
    RESTART = "restarted by the peer"
    SHUTDOWN_COMP = "shut down"
    CANT_STR_ASSOC = "not set up"


# All begin with type, flags and length.
_HEAD = struct.Struct("=HHI")
_ASSOCIATION = struct.Struct("=8xHHHHI")
_ADDRESS = struct.Struct("=8x128sIII")
_SEND_FAILED = struct.Struct("=8xIHHIIII")
_SHUTDOWN = _DRY = struct.Struct("=8xI")
_PARTIAL_DELIVERY = struct.Struct("=8xIIII")


@frozen
class AssociationChange:
    """An association comes up, restarts or ends.

    @ivar error: the cause code of the peer's ABORT in host order, or 0.
    @ivar streams: how many we may send on.
    @ivar aborted: whether the peer's ABORT came with it.
    """

    association: int
    change: Change
    error: int
    streams: int
    aborted: bool


@frozen
class AddressChange:
    """A path changes its state, or the peer has gained or lost an address (RFC 5061).

    @ivar host: the peer's address; empty for the only one that it has.
    @ivar state: C{"available"}, C{"unreachable"}, C{"removed"}, C{"added"} ...
    """

    association: int
    host: str
    state: str


@frozen
class SendFailed:
    """A message, or one fragment of it, was not acknowledged by the peer.

    @ivar ppid: in host order.
    @ivar fragment: the flags of its DATA chunk: 2 the first of a message, 1 the last.
    """

    association: int
    data: bytes
    ppid: int
    fragment: int


@frozen
class PeerShutdown:
    """The peer takes no more data."""

    association: int


@frozen
class DeliveryAborted:
    """The rest of a message that was delivered in part will not come."""

    association: int
    stream: int


@frozen
class SenderDry:
    """All that was sent is acknowledged."""

    association: int


Notification: TypeAlias = AssociationChange | AddressChange | SendFailed | PeerShutdown | DeliveryAborted | SenderDry


@frozen
class Numbers:
    """How a stack numbers them.

    @ivar kinds: which kind of notification a number stands for.
    @ivar first: the number of the first state.
    @ivar address_states: the states of addresses that it tells, in its order.
    @ivar host: reads a C{struct sockaddr_storage}; C{None} if there is no sense in it.
    """

    kinds: dict[int, type[Notification]]
    first: int
    address_states: tuple[str, ...]
    host: Callable[[bytes], str | None]

    def parse(self, data: bytes) -> Notification | None:
        """Read one notification; C{None} for what is not known or cut short."""
        try:
            number, _, length = _HEAD.unpack_from(data)
            kind = self.kinds.get(number)
            if kind is AssociationChange:
                state, error, streams, _, association = _ASSOCIATION.unpack_from(data)
                if 0 <= state - self.first < len(Change):
                    change = tuple(Change)[state - self.first]
                    return AssociationChange(association, change, error, streams, len(data) > _ASSOCIATION.size)
            elif kind is AddressChange:
                address, state, _, association = _ADDRESS.unpack_from(data)
                host = self.host(address)
                if host is not None and 0 <= state - self.first < len(self.address_states):
                    return AddressChange(association, host, self.address_states[state - self.first])
            elif kind is SendFailed:
                _, _, fragment, ppid, _, _, association = _SEND_FAILED.unpack_from(data)
                return SendFailed(association, data[_SEND_FAILED.size : length], ntohl(ppid), fragment)
            elif kind is PeerShutdown:
                return PeerShutdown(*_SHUTDOWN.unpack_from(data))
            elif kind is DeliveryAborted:
                _, association, stream, _ = _PARTIAL_DELIVERY.unpack_from(data)
                return DeliveryAborted(association, stream)
            elif kind is SenderDry:
                return SenderDry(*_DRY.unpack_from(data))
        except struct.error:
            pass
        return None
