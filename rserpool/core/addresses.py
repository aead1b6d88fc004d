"""Transport addresses as roles pass them on (RFC 5352 section 1.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen

ASAP_PORT = 3863
"""IANA: asap-sctp and asap-tcp (RFC 5352 section 8.2)."""
ASAP_TLS_PORT = 3864
"""IANA: asap-sctp-tls and asap-tcp-tls (RFC 5352 section 8.2)."""
ENRP_PORT = 9901
"""IANA: enrp-sctp (RFC 5353 section 5.3)."""
ENRP_TLS_PORT = 9902
"""IANA: enrp-sctp-tls (RFC 5353 section 5.3)."""
ENCAPSULATION_PORT = 9899
"""UDP port of SCTP over UDP (RFC 6951 section 4.1)."""
REGISTRAR_ENCAPSULATION_PORTS = tuple(range(ENCAPSULATION_PORT, ENCAPSULATION_PORT - 8, -1))
"""The UDP ports that a registrar tries, in this order, and where others look for one: announcements name none."""


@frozen
class TransportAddress:
    """Where a peer is: its IP addresses and port.

    @ivar hosts: IP addresses as text, the first being the preferred one.
    @ivar port: the SCTP (or TCP) port.
    @ivar encapsulation: the UDP port of SCTP over UDP at the peer; 0 where it is not known or not used.
    @ivar protocol: C{"sctp"} or C{"tcp"}.
    """

    hosts: tuple[str, ...]
    port: int
    encapsulation: int = 0
    protocol: str = "sctp"

    def __str__(self) -> str:
        text = ",".join(f"[{host}]" if ":" in host else host for host in self.hosts) + f":{self.port}"
        if self.encapsulation:
            text += f"/{self.encapsulation}"
        return text if self.protocol == "sctp" else f"{text} ({self.protocol})"


def next_guess(address: TransportAddress) -> TransportAddress | None:
    """Where else a registrar may be that was announced without a UDP port, once C{address} was tried in vain."""
    ports = (0, *REGISTRAR_ENCAPSULATION_PORTS)
    if address.encapsulation not in ports[:-1]:
        return None
    return replace(address, encapsulation=ports[ports.index(address.encapsulation) + 1])


def in_short(addresses: Sequence[TransportAddress], most: int = 4) -> str:
    """Addresses in a few words: UDP ports of one SCTP port are counted, and what is beyond C{most} is, too."""
    places: dict[TransportAddress, list[TransportAddress]] = {}
    for address in addresses:
        places.setdefault(replace(address, encapsulation=0), []).append(address)
    texts = [
        str(there[0]) if len(there) == 1 else f"{place} at {len(there)} UDP ports" for place, there in places.items()
    ]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def places(address: TransportAddress) -> list[tuple[str, int, int, str]]:
    """The places of one SCTP (or TCP) endpoint, one for each IP address: host, port, UDP port, protocol.

    Processes on one host share its addresses and may share an SCTP port, so the UDP port counts too.
    """
    udp = address.encapsulation or ENCAPSULATION_PORT
    return [(host, address.port, udp, address.protocol) for host in address.hosts]


def same_place(one: TransportAddress, other: TransportAddress) -> bool:
    """Whether two addresses name one SCTP (or TCP) endpoint: they have a place in common."""
    return not set(places(one)).isdisjoint(places(other))


@lru_cache(maxsize=65536)
def scope(host: str) -> str:
    """How far an IP address reaches: C{"loopback"}, C{"link"} or C{"global"} (anything wider than a link)."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_loopback:
        return "loopback"
    return "link" if address.is_link_local else "global"


@lru_cache(maxsize=65536)
def machine(host: str) -> str:
    """Which machine an IP address stands for, as far as the address tells: all of loopback is one, and so is an IPv6
    network of 64 bits, in which a machine has as many addresses as it likes."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_loopback:
        return "loopback"
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


@lru_cache(maxsize=1024)
def is_name(host: str) -> bool:
    """Whether this is a host's name, and no IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def check_registrable(hosts: Sequence[str]) -> None:
    """Refuse what others cannot reach.

    @raise ConfigurationError: if one is an IPv6 address of a link: a registration has no room for its interface.
    """
    for host in hosts:
        if ":" in host and scope(host) == "link":
            raise ConfigurationError(
                f"{host} cannot be registered: it means another host on each link; name another of our addresses"
            )


def only_this_host(hosts: Sequence[str]) -> bool:
    """Whether none of these addresses can be reached from elsewhere."""
    return all(scope(host) == "loopback" for host in hosts)


def out_of_reach(own: Sequence[str], others: Iterable[TransportAddress]) -> str:
    """Why none of these addresses can be reached from our own ones, as far as they tell; empty, if one may be."""
    hosts = [host for other in others for host in other.hosts]
    families = {":" in host for host in own}
    if not own or not hosts or any(is_name(host) for host in hosts):
        return ""
    same = [host for host in hosts if (":" in host) in families]
    if not same:
        return f"from {', '.join(own)} no {'IPv4' if True in families else 'IPv6'} address can be reached"
    # Other addresses of this host can be.
    if only_this_host(own) and not any(scope(host) == "loopback" for host in same):
        return f"from {', '.join(own)} no other host can be reached"
    return ""


def over_tls(address: TransportAddress) -> TransportAddress:
    """Where TLS is spoken at this address: at the standard port for it, if the standard port in the clear is named."""
    port = {ASAP_PORT: ASAP_TLS_PORT, ENRP_PORT: ENRP_TLS_PORT}.get(address.port, address.port)
    return address if port == address.port else replace(address, port=port)


def in_the_clear(address: TransportAddress) -> TransportAddress:
    """Where the same is spoken in the clear beside the TLS at this address: at the port below."""
    return replace(address, port=max(0, address.port - 1))
