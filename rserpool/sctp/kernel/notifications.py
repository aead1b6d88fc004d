"""How the kernel numbers its notifications (RFC 6458 section 6.1), as in linux/sctp.h.

They are not read by pysctp, whose receive path ends the process on a SEND FAILED that holds bytes which are not UTF-8.
"""

from __future__ import annotations

from rserpool.sctp.kernel.sockaddr import host_and_port
from rserpool.sctp.notifications import (
    AddressChange,
    AssociationChange,
    DeliveryAborted,
    Numbers,
    PeerShutdown,
    SenderDry,
    SendFailed,
)


def _host(address: bytes) -> str | None:
    found = host_and_port(address)
    return None if found is None else found[0]


NUMBERS = Numbers(
    {
        0x8001: AssociationChange,
        0x8002: AddressChange,
        0x8005: PeerShutdown,
        0x8006: DeliveryAborted,
        0x8009: SenderDry,
        0x800D: SendFailed,
    },
    0,
    ("available", "unreachable", "removed", "added", "made primary", "confirmed", "potentially failed"),
    _host,
)
EVENTS = tuple(number for number, kind in NUMBERS.kinds.items() if kind is not SenderDry)
"""What an endpoint subscribes to. SENDER DRY is left out: whoever waits for room hears of it by the socket."""
