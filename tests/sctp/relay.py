"""A path between two UDP ports of this host that loses what a test says (what a network does, made on purpose)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.protocol import DatagramProtocol

Passes = Callable[[bytes, bool], bool]
DATA, INIT, HEARTBEAT, HEARTBEAT_ACK, SACK = 0, 1, 4, 5, 3
"""Types of chunks (RFC 9260 section 3.2)."""


def chunks(packet: bytes) -> Iterator[int]:
    """The types of a packet's chunks, in their order."""
    at = 12
    while at + 4 <= len(packet):
        yield packet[at]
        at += max(4, int.from_bytes(packet[at + 2 : at + 4], "big") + 3 & ~3)


class Path(DatagramProtocol):
    """Forwards datagrams between whoever comes and a server.

    @param passes: whether a packet gets through; it is called with it, and whether it goes to the server.
    @ivar sizes: the length of all datagrams that came, those of the client first, then the server's.
    """

    def __init__(self, reactor: Any, host: str, port: int, passes: Passes = lambda packet, forth: True) -> None:
        self.passes = passes
        self.sizes: tuple[list[int], list[int]] = ([], [])
        self._server = (host, port)
        self._client: tuple[str, int] | None = None
        self._back = DatagramProtocol()
        self._back.datagramReceived = self._from_server  # type: ignore[method-assign, assignment]
        self._ports = [reactor.listenUDP(0, each, host, maxPacketSize=65536) for each in (self, self._back)]

    @property
    def port(self) -> int:
        """Where the client sends to."""
        return int(self._ports[0].getHost().port)

    def stop(self) -> None:
        """It is no more."""
        for port in self._ports:
            port.stopListening()

    def datagramReceived(self, packet: bytes, source: Any) -> None:
        self._client = source
        self.sizes[0].append(len(packet))
        if self.passes(packet, True):
            self._back.transport.write(packet, self._server)  # type: ignore[union-attr]

    def _from_server(self, packet: bytes, source: Any) -> None:
        self.sizes[1].append(len(packet))
        if self._client is not None and self.passes(packet, False):
            self.transport.write(packet, self._client)  # type: ignore[union-attr]
