"""TCP to one IP address."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint


def tcp_endpoint(reactor: Any, address: str, port: int, timeout: float) -> IStreamClientEndpoint:
    """The client endpoint for an IPv4 or IPv6 address that gives up after C{timeout} seconds."""
    # They load TLS: only who connects pays for it.
    from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint

    kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
    return kind(reactor, address, port, timeout=timeout)
