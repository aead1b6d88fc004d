"""How libusrsctp numbers its notifications (RFC 6458 section 6.1)."""

from __future__ import annotations

from rserpool.sctp.notifications import AddressChange, AssociationChange, Numbers, PeerShutdown, SendFailed

NUMBERS = Numbers(
    {0x0001: AssociationChange, 0x0002: AddressChange, 0x0005: PeerShutdown, 0x000E: SendFailed},
    1,
    ("available", "unreachable"),
    # A peer has one address, and here it is a handle.
    lambda address: "",
)
EVENTS = tuple(NUMBERS.kinds)
"""What an endpoint subscribes to."""
