"""What a wrapped service listens on, and who is connected to it, as its reactor knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.interfaces import IListeningPort

from rserpool.errors import ConfigurationError
from rserpool.wire.parameters import TcpTransport, UdpTransport, UserTransport

T = TypeVar("T")


class ListeningPorts:
    """The ports that were opened while we looked on, in the order in which they were.

    @param wanted: C{("tcp", 8080)}, the port that matters; by default the first.
    """

    def __init__(self, reactor: Any, wanted: tuple[str, int] | None = None) -> None:
        self._reactor = reactor
        self._wanted = wanted
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
        new = [
            reader
            for reader in self._reactor.getReaders()
            if reader not in self._before
            and reader not in self.ports
            and IListeningPort.providedBy(reader)
            and getattr(reader.getHost(), "type", None) in ("TCP", "UDP")
        ]
        # The reactor knows them in no order; the system gives out the lowest number that is free.
        self.ports += sorted(new, key=lambda reader: reader.fileno())

    def connections(self) -> int:
        """How many TCP connections to these ports are open."""
        readers = [*self._reactor.getReaders(), *self._reactor.getWriters()]
        return len({reader for reader in readers if getattr(reader, "server", None) in self.ports})

    @property
    def port(self) -> Any:
        """The port that matters, or None."""
        for port in self.ports:
            address = port.getHost()
            if self._wanted in (None, (address.type.lower(), address.port)):
                return port
        return None

    def bound_host(self) -> str | None:
        """The one address that the port is bound to; None if it listens on all, or is not known."""
        host = None if self.port is None else self.port.getHost().host
        return None if host in ("", "0.0.0.0", "::", None) else host  # noqa: S104

    def reached_at(self, host: str) -> bool:
        """Whether the port can be reached at C{host}, one of our own addresses, as far as is known."""
        bound = "" if self.port is None else self.port.getHost().host
        # A port at all IPv6 addresses is at all IPv4 addresses, too.
        return bound in ("", "::", host) or (bound == "0.0.0.0" and ":" not in host)  # noqa: S104

    def transport(self, host: str) -> UserTransport | None:
        """The port as the user transport of an element at C{host}."""
        if self._wanted is not None:
            kind, number = self._wanted
        elif self.port is not None:
            address = self.port.getHost()
            kind, number = address.type.lower(), address.port
        else:
            return None
        return TcpTransport(number, host) if kind == "tcp" else UdpTransport(number, host)


def parse_port(text: str) -> tuple[str, int]:
    """Read C{[tcp:|udp:]PORT}.

    @raise ConfigurationError: if it is something else.
    """
    kind, colon, number = text.rpartition(":")
    kind = kind if colon else "tcp"
    if kind in ("tcp", "udp") and number.isascii() and number.isdigit() and 0 < int(number) < 65536:
        return kind, int(number)
    raise ConfigurationError(f"{text!r} is not a port; write for example 8080, tcp:8080 or udp:5000")
