"""What a wrapped service listens on, and who is connected to it, as its reactor knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rserpool.core.errors import ConfigurationError
from rserpool.core.policies import ParsedPolicy
from rserpool.core.reading import digits, number
from rserpool.core.wire.parameters import DATA_ONLY, SctpTransport, TcpTransport, UdpTransport, UserTransport
from rserpool.element.load import SERVICE, probe
from rserpool.element.openings import claim, is_client, kind_of, note_openers, open_ports, opened_by, opener_of
from rserpool.node.own_ports import is_own_port

LOOK = 0.05
"""Seconds between two looks at the ports and connections of what is wrapped."""
KINDS = ("tcp", "udp", "sctp")
"""Ports that can be registered."""
ALL_IPV4 = "0.0.0.0"  # noqa: S104

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where somebody serves, on one host.

    @ivar kind: C{tcp}, C{udp} or C{sctp}.
    @ivar number: of the port; 0 for any.
    """

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else f"a {self.kind} port"

    def matches(self, other: Place) -> bool:
        """Whether C{other} is this place, or one of these."""
        return self.kind == other.kind and self.number in (0, other.number)


class ListeningPorts:
    """The ports that a service has opened, in the order in which they were.

    Those that were open when this was made, before the reactor ran, count where the service has no other: it may have
    opened them while it was made.

    @param alone: whether the process is there for this service: then ports that nobody else has opened are its own.
    """

    def __init__(self, reactor: Any, *, alone: bool = False) -> None:
        self._reactor = reactor
        self._alone = alone
        self._made: list[Any] = []
        self.ports: list[Any] = []
        note_openers(reactor)
        if not getattr(reactor, "running", True):
            self._made = [port for port in open_ports(reactor) if opener_of(reactor, port) is None]
            for port in self._made:
                claim(reactor, port, self)

    def during(self, start: Callable[[], T]) -> T:
        """Call C{start}; what it opens, now or later, is the service's."""
        try:
            return opened_by(self, start)
        finally:
            self.look()

    def look(self) -> None:
        """Look again: a service may open ports later, and close them."""
        found = [port for port in open_ports(self._reactor) if self._is_ours(port)]
        self.ports = [port for port in self.ports if port in found]
        self.ports += [port for port in found if port not in self.ports]

    def _is_ours(self, port: Any) -> bool:
        if is_own_port(port):
            return False
        opener = opener_of(self._reactor, port)
        return opener is self or (self._alone and opener is None)

    def serving(self, kind: str | None = None) -> dict[Place, list[Any]]:
        """Where the service serves, and by which ports: one for each address.

        @param kind: which ports alone; then a UDP port may be one that the system chose.
        """
        places: dict[Place, list[Any]] = {}
        for port in self.ports:
            if kind_of(port) in (KINDS if kind is None else (kind,)) and (kind is not None or not is_client(port)):
                places.setdefault(place_of(port), []).append(port)
        own = {place: ports for place, ports in places.items() if any(map(self._is_own, ports))}
        # Of a process that is there for the service every port is as good; but a UDP port may be one of ours.
        return (own or places) if kind is not None or not self._alone else places

    def is_a_guess(self, port: Any) -> bool:
        """Whether it counts only while the service has opened no other."""
        return not self._alone and not self._is_own(port)

    def _is_own(self, port: Any) -> bool:
        return port not in self._made and opener_of(self._reactor, port) is self

    def others(self, places: Collection[Place | None]) -> list[Any]:
        """Those that are somewhere else."""
        return [port for port in self.ports if kind_of(port) in KINDS and place_of(port) not in places]

    def told(self) -> str:
        """All of them, in words."""
        return ", ".join(_told(port) for port in self.ports)


def place_of(port: Any) -> Place:
    """Where an open port is."""
    return Place(kind_of(port), port.getHost().port)


def _told(port: Any) -> str:
    kind = kind_of(port)
    if kind not in KINDS:
        return f"{kind} {os.fsdecode(getattr(port.getHost(), 'name', None) or '')}".strip()
    return f"{place_of(port)}{' (of a client, as it seems)' if is_client(port) else ''}"


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
    factory = _within(factory)
    version = int(getattr(factory, "session_framing", 0))
    if version:
        factory.serves_in(pools)
    return version


def has_control_channel(factory: Any) -> bool:
    """Whether a port's factory expects the control channel beside its data, over SCTP (RFC 5354 section 3.4).

    Sessions do; other factories say so by an attribute C{control}.
    """
    factory = _within(factory)
    return bool(getattr(factory, "session_framing", 0) or getattr(factory, "control", False))


def own_load(factory: Any, policy: ParsedPolicy | str) -> dict[str, Callable[[], float]]:
    """What measures the values of a policy that the service itself tells: C{least-used:load=service}.

    @raise ConfigurationError: if it tells none.
    """
    load = getattr(_within(factory), "load", None)
    probes = {} if isinstance(policy, str) else policy.probes
    return {field: load or probe(SERVICE) for field, name in probes.items() if name == SERVICE}


def _within(factory: Any) -> Any:
    """What TLS, or anything else that wraps factories, has within."""
    while (within := getattr(factory, "wrappedFactory", None)) is not None:
        factory = within
    return factory


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
    """Read C{[tcp:|udp:|sctp:]PORT}, or a kind alone, for a port of that kind: its number is 0.

    @raise ConfigurationError: if it is something else.
    """
    if text in KINDS:
        return text, 0
    wrong = f"{text!r} is not a port; write for example 8080, tcp:8080, udp:5000, sctp:5000 or udp"
    kind, colon, port = text.rpartition(":")
    if colon and kind not in KINDS:
        raise ConfigurationError(wrong)
    return kind or "tcp", number(digits, lambda value: 0 < value < 65536, lambda _: wrong)(port)
