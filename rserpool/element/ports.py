"""What a wrapped service listens on, and who is connected to it, as its reactor knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger

from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import digits, number
from rserpool.core.wire.parameters import DATA_ONLY, SctpTransport, TcpTransport, UdpTransport, UserTransport
from rserpool.node.reactor import clock_of
from rserpool.sctp.one_to_one.ports import SctpPort, sctp_ports

LOOK = 0.05
"""Seconds between two looks at the ports and connections of what is wrapped."""
ALL_IPV4 = "0.0.0.0"  # noqa: S104

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
        before = set(self._open())
        try:
            return start()
        finally:
            self._before |= before
            self.look()

    def look(self) -> None:
        """Look again: a service may open its ports later."""
        self.ports += [port for port in self._open() if port not in self._before and port not in self.ports]

    def _open(self) -> list[Any]:
        # The reactor knows them in no order; the system gives out the lowest number that is free.
        readers: list[Any] = [
            reader
            for reader in self._reactor.getReaders()
            if IListeningPort.providedBy(reader) and getattr(reader.getHost(), "type", None) in ("TCP", "UDP")
        ]
        return sorted(readers, key=lambda reader: reader.fileno()) + sctp_ports(self._reactor)

    @property
    def port(self) -> Any:
        """The port that matters, or None."""
        for port in self.ports:
            address = port.getHost()
            if self._wanted in (None, (address.type.lower(), address.port)):
                return port
        return None

    def bound_hosts(self) -> tuple[str, ...]:
        """The addresses that the port is bound to; none if it listens on all, or is not known."""
        return () if self.port is None else bound_hosts(self.port.getHost())

    def reached_at(self, host: str) -> bool:
        """Whether the port can be reached at C{host}, one of our own addresses, as far as is known."""
        return self.port is None or reached_at(self.port.getHost(), host)

    def transport(self, *hosts: str, use: int = DATA_ONLY) -> UserTransport | None:
        """The port as the user transport of an element at these addresses, of which only SCTP takes several."""
        if self._wanted is not None:
            return user_transport(*self._wanted, hosts, use)
        if self.port is None:
            return None
        address = self.port.getHost()
        return user_transport(address.type, address.port, hosts, use)


def connections(reactor: Any, ports: Sequence[Any]) -> int:
    """How many connections to these ports are open, over TCP and SCTP, as far as the reactor knows."""
    readers = [*reactor.getReaders(), *reactor.getWriters()]
    associations = sum(port.associations for port in ports if isinstance(port, SctpPort))
    return associations + len({reader for reader in readers if getattr(reader, "server", None) in ports})


async def drained(reactor: Any, ports: Sequence[Any], grace: float, log: Logger) -> None:
    """Wait until the connections to these ports have ended, C{grace} seconds at most."""
    now = clock_of(reactor)
    deadline = now() + grace
    if count := connections(reactor, ports):
        log.info("{count} connections: draining", count=count)
    while connections(reactor, ports) and now() < deadline:
        await deferLater(reactor, LOOK)


def bound_hosts(address: Any) -> tuple[str, ...]:
    """The IP addresses of a port's address; none if it listens on all."""
    hosts = getattr(address, "hosts", None) or (address.host,)
    return () if any(host in ("", ALL_IPV4, "::", None) for host in hosts) else tuple(hosts)


def reached_at(address: Any, host: str) -> bool:
    """Whether a port with this address can be reached at C{host}, one of our own addresses."""
    bound = getattr(address, "hosts", None) or (address.host,)
    # A port at all IPv6 addresses is at all IPv4 addresses, too.
    return any(own in ("", "::", host) or (own == ALL_IPV4 and ":" not in host) for own in bound)


def session_framing(factory: Any, pools: Sequence[bytes | str]) -> int:
    """What a port's factory speaks: the version of session framing, or 0 for anything else (L{rserpool.session}).

    @param pools: where the port is registered; a factory of sessions learns it.
    """
    version = int(getattr(factory, "session_framing", 0))
    if version:
        factory.serves_in(pools)
    return version


def has_control_channel(factory: Any) -> bool:
    """Whether a port's factory expects the control channel beside its data, over SCTP (RFC 5354 section 3.4).

    Sessions do; other factories say so by an attribute C{control}.
    """
    return bool(getattr(factory, "session_framing", 0) or getattr(factory, "control", False))


def asap_place(address: Any, hosts: tuple[str, ...]) -> dict[str, Any]:
    """Where an element with this port speaks ASAP, as arguments of a L{PoolElementService}.

    Users find the UDP port of SCTP (RFC 6951) by that of the element's own association: both share one.

    @param hosts: its own IP addresses.
    """
    encapsulation = getattr(address, "encapsulation", 0)
    if not encapsulation:
        return {"hosts": hosts}
    return {"hosts": hosts if bound_hosts(address) else address.hosts, "encapsulation": encapsulation}


def user_transport(kind: str, port: int, hosts: Sequence[str], use: int = DATA_ONLY) -> UserTransport:
    """A user transport (RFC 5354 sections 3.4 to 3.6).

    @param kind: C{tcp}, C{udp} or C{sctp}, in any case.
    @param hosts: its IP addresses, of which TCP and UDP take the first.
    @param use: the transport use of SCTP.
    """
    match kind.lower():
        case "tcp":
            return TcpTransport(port, hosts[0])
        case "udp":
            return UdpTransport(port, hosts[0])
        case _:
            return SctpTransport(port, use, tuple(hosts))


def parse_port(text: str) -> tuple[str, int]:
    """Read C{[tcp:|udp:|sctp:]PORT}.

    @raise ConfigurationError: if it is something else.
    """
    wrong = f"{text!r} is not a port; write for example 8080, tcp:8080, udp:5000 or sctp:5000"
    kind, colon, port = text.rpartition(":")
    if colon and kind not in ("tcp", "udp", "sctp"):
        raise ConfigurationError(wrong)
    return kind or "tcp", number(digits, lambda value: 0 < value < 65536, lambda _: wrong)(port)
