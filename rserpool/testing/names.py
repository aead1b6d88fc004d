"""The names of a scope's hosts: each process has its own, beside C{localhost}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from rserpool.testing.network import ScopeNetwork


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """It is done already."""


@implementer(IHostnameResolver)
class Names:
    """Knows the processes of a scope by name (C{e1}), addresses as they are written, and C{localhost}."""

    def __init__(self, network: ScopeNetwork) -> None:
        self._network = network

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """See C{IHostnameResolver.resolveHostName}."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        literal = isIPAddress(hostName) or isIPv6Address(hostName)
        hosts = [hostName] if literal else [host for host, name in self._network.names.items() if name == hostName]
        for host in ["127.0.0.1"] if hostName == "localhost" else hosts:
            kind = IPv6Address if ":" in host else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution
