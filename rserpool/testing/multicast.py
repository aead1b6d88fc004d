"""A multicast group in memory, as announcements of registrars use it (RFC 5352 section 3.6)."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed


class MemoryMulticast:
    """A UDP port that joins groups; datagrams reach all others in them, as long as the network lets them pass."""

    def __init__(self, reactor: Any, port: int, protocol: Any) -> None:
        self._reactor = reactor
        self._port = port
        self._protocol = protocol

    def startListening(self) -> None:
        """The protocol may send, and join groups."""
        self._protocol.makeConnection(self)

    def stopListening(self) -> Deferred[None]:
        """Leave all groups."""
        self._reactor.network.part(self._received)
        return succeed(None)

    def getHost(self) -> IPv4Address:
        """Where it listens."""
        return IPv4Address("UDP", self._reactor.host, self._port)

    def setTTL(self, ttl: int) -> None:
        """Every host of the scope is near."""

    def setOutgoingInterface(self, interface: str) -> None:
        """There is one."""

    def joinGroup(self, group: str, interface: str = "") -> Deferred[None]:
        """Hear what is sent to the group."""
        self._reactor.network.join((group, self._port), self._reactor, self._received)
        return succeed(None)

    def write(self, data: bytes, address: tuple[str, int]) -> None:
        """Send to a group."""
        self._reactor.network.multicast(self._reactor, address, data)

    def _received(self, data: bytes, source: str) -> None:
        self._protocol.datagramReceived(data, (source, self._port))
