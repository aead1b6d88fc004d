"""Where a pool element serves, and how that is said to people."""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.described import place as place
from rserpool.core.wire.parameters import PoolElementParameter


def describe(element: PoolElementParameter) -> str:
    """A pool element in a few words: its identifier, and where it serves."""
    return f"0x{element.identifier:08x} at {place(element)}"


def serves_at(element: PoolElementParameter, host: object, port: object) -> bool:
    """Whether an element serves at this IP address and port, over whatever transport."""
    transport = element.user_transport
    return host in transport.addresses and port == transport.port


def is_at(element: PoolElementParameter, address: TransportAddress) -> bool:
    """Whether an element serves at this address: by its protocol, at its port, and at one of its hosts."""
    same = (element.user_transport.kind == "sctp") == (address.protocol == "sctp")
    return same and any(serves_at(element, host, address.port) for host in address.hosts)
