"""Which registrars an element or a user tries, and from which of our own addresses (RFC 5352 section 3.6)."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rserpool.config.user import said
from rserpool.core.addresses import ASAP_PORT, TransportAddress, scope
from rserpool.core.choices import REGISTRARS
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import parse_transport_address, with_port
from rserpool.sctp.base import REGISTRAR_ENCAPSULATION_PORTS
from rserpool.sctp.lookup import addresses_of

THIS_HOST = "127.0.0.1"
_ANY_PORT = 9  # discard; nothing is sent to it


def lent_by(reactor: Any) -> dict[str, Any]:
    """What a reactor in memory (L{rserpool.testing}) has for who runs on it, where nothing else is said: its C{stack},
    the C{registrars} and C{profile} of its scope, and its own C{hosts}; nothing for any other reactor."""
    return dict(getattr(reactor, "lends", ()))


def registrars_from(texts: Sequence[str], protocol: str = "sctp") -> tuple[TransportAddress, ...]:
    """The registrars that options name; or else the environment (L{REGISTRARS}); or else a file of the user or of the
    machine (L{rserpool.config.user}); or else those that may run on this host.

    Several registrars on one host take the UDP ports 9899, 9898 ... 9892 (RFC 6951) in this order.

    @param texts: each C{HOST[,HOST...][:PORT][/UDPPORT]}.
    @param protocol: C{"sctp"} or C{"tcp"}.
    @raise ConfigurationError: if a text is not an address; it names the wrong part.
    """
    named = [_registrar(text, protocol) for text in texts] or named_registrars(protocol)
    if not named:
        named = [TransportAddress((THIS_HOST,), ASAP_PORT, udp) for udp in REGISTRAR_ENCAPSULATION_PORTS]
    return tuple(over(named, protocol))


def named_registrars(protocol: str = "sctp") -> list[TransportAddress]:
    """The registrars that the environment names, or else a file (L{rserpool.config.user}).

    @raise ConfigurationError: as L{registrars_from} does.
    """
    try:
        named = [_registrar(text, protocol) for text in os.environ.get(REGISTRARS, "").split()]
    except ConfigurationError as error:
        raise ConfigurationError(f"{REGISTRARS}: {error}") from None
    if not named and (written := said("registrar")) is not None:
        from rserpool.config.keys import texts_of

        named = [_registrar(text, protocol) for text in texts_of("registrar", written[0])]
    return named


def _registrar(text: str, protocol: str) -> TransportAddress:
    return with_port(parse_transport_address(text, protocol=protocol), repr(text), "a registrar")


def over(registrars: Sequence[TransportAddress], protocol: str) -> list[TransportAddress]:
    """The same registrars, reached by C{protocol}, none twice; over TCP there is no UDP port."""
    if protocol == "tcp":
        registrars = [
            replace(registrar, hosts=(host,), encapsulation=0) for registrar in registrars for host in registrar.hosts
        ]
    return list(dict.fromkeys(replace(registrar, protocol=protocol) for registrar in registrars))


def local_host_towards(host: str) -> str:
    """Our own IP address from which packets to C{host} would leave; no packet is sent. A name is looked up at once.

    @raise ConfigurationError: if there is no way to this address.
    """
    host = addresses_of(host)[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if scope(host) == "loopback":
        return "::1" if ":" in host else THIS_HOST
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # With the zone of a link-local address, which a pair of host and port has no room for.
            probe.connect(socket.getaddrinfo(host, _ANY_PORT, family, flags=socket.AI_NUMERICHOST)[0][4])
            own: str = probe.getsockname()[0]
    except OSError as error:
        raise ConfigurationError(f"there is no way to {host}: {error.strerror or error}") from None
    zone = host.partition("%")[2]
    return f"{own}%{zone}" if zone and scope(own) == "link" else own


def any_hosts() -> tuple[str, ...]:
    """What stands for all addresses of this host."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ("0.0.0.0",)  # noqa: S104
    return ("0.0.0.0", "::")  # noqa: S104


def local_hosts_towards(registrars: Sequence[TransportAddress]) -> tuple[str, ...]:
    """Our own IP addresses from which these registrars are reached, none twice; those without a way are left out.

    @raise ConfigurationError: if there is no way to any of them.
    """
    own: dict[str, None] = {}
    failure: ConfigurationError | None = None
    for host in dict.fromkeys(host for registrar in registrars for host in registrar.hosts):
        try:
            own[local_host_towards(host)] = None
        except ConfigurationError as error:
            failure = failure or error
    if failure is not None and not own:
        raise failure
    return tuple(own) or (THIS_HOST,)
