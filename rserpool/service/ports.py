"""What a wrapped service listens on, and who is connected to it, as its reactor knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.interfaces import IListeningPort

from rserpool.errors import ConfigurationError
from rserpool.wire.parameters import TcpTransport, UdpTransport, UserTransport

T = TypeVar("T")


class ListeningPorts:
    """The ports that were opened while we looked on."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._before: set[Any] = set()
        self.ports: list[Any] = []

    def during(self, start: Callable[[], T]) -> T:
        """Call C{start}; ports that are open afterwards and were not before are taken down."""
        before = set(self._reactor.getReaders())
        try:
            return start()
        finally:
            self._before |= before
            self.look()

    def look(self) -> None:
        """Look again: a service may open its ports later."""
        for reader in self._reactor.getReaders():
            if reader not in self._before and reader not in self.ports and IListeningPort.providedBy(reader):
                if getattr(reader.getHost(), "type", None) in ("TCP", "UDP"):
                    self.ports.append(reader)

    def connections(self) -> int:
        """How many TCP connections to these ports are open."""
        readers = [*self._reactor.getReaders(), *self._reactor.getWriters()]
        return len({reader for reader in readers if getattr(reader, "server", None) in self.ports})

    def bound_host(self) -> str | None:
        """The one address that the first port is bound to; None if it listens on all."""
        host = self.ports[0].getHost().host if self.ports else None
        return None if host in ("", "0.0.0.0", "::", None) else host  # noqa: S104

    def transport(self, host: str) -> UserTransport | None:
        """The first of these ports as the user transport of an element at C{host}."""
        for port in self.ports:
            address = port.getHost()
            return TcpTransport(address.port, host) if address.type == "TCP" else UdpTransport(address.port, host)
        return None


def parse_port(text: str) -> tuple[str, int]:
    """Read C{[tcp:|udp:]PORT}.

    @raise ConfigurationError: if it is something else.
    """
    kind, colon, number = text.rpartition(":")
    kind = kind if colon else "tcp"
    if kind in ("tcp", "udp") and number.isascii() and number.isdigit() and 0 < int(number) < 65536:
        return kind, int(number)
    raise ConfigurationError(f"{text!r} is not a port; write for example 8080, tcp:8080 or udp:5000")
