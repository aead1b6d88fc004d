"""The addresses that the names of hosts stand for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress, is_name
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import udp_encapsulation


@implementer(IResolutionReceiver)
class _Receiver:
    def __init__(self, found: Callable[[list[str]], object]) -> None:
        self._found = found
        self._addresses: dict[str, None] = {}

    def resolutionBegan(self, resolution: Any) -> None:
        """Nothing is to be done yet."""

    def addressResolved(self, address: Any) -> None:
        """One of the addresses."""
        self._addresses[address.host] = None

    def resolutionComplete(self) -> None:
        """These were all."""
        self._found(list(self._addresses))


def look_up(reactor: Any, host: str, found: Callable[[list[str]], object]) -> None:
    """Find all addresses of a name by the reactor's resolver; none if there is no such name, or resolver."""
    resolver = getattr(reactor, "nameResolver", None)
    if resolver is None:
        found([])
        return
    resolver.resolveHostName(_Receiver(found), host, addressTypes=[IPv4Address, IPv6Address])


async def with_addresses(reactor: Any, address: TransportAddress) -> TransportAddress:
    """The same address, its names looked up by the reactor.

    @raise ConfigurationError: if a name is not known.
    """
    hosts: dict[str, None] = {}
    for host in address.hosts:
        if is_name(host):
            found: Deferred[list[str]] = Deferred()
            look_up(reactor, host, found.callback)
            addresses = await found
            if not addresses:
                raise ConfigurationError(f"{address}: there is no host named {host}")
            hosts.update(dict.fromkeys(addresses))
        else:
            hosts[host] = None
    return replace(address, hosts=tuple(hosts))


async def each_place(reactor: Any, address: TransportAddress) -> list[TransportAddress]:
    """What a person means by an address: behind a name stands one host, or several, each with one address.

    @raise ConfigurationError: if a name is not known.
    """
    if not any(map(is_name, address.hosts)):
        return [address]
    return [replace(address, hosts=(host,)) for host in (await with_addresses(reactor, address)).hosts]


def addresses_of(host: str) -> list[str]:
    """All addresses of a name, or an address itself; this blocks.

    @raise ConfigurationError: if a name is not known.
    """
    if not is_name(host):
        return [host]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"there is no host named {host}: {getattr(error, 'strerror', error)}") from None
    return list(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))


def own(address: TransportAddress) -> TransportAddress:
    """An address of our own, its names looked up at once.

    @raise ConfigurationError: if a name is not known.
    """
    return replace(address, hosts=tuple(dict.fromkeys(one for host in address.hosts for one in addresses_of(host))))


def own_udp(text: str) -> tuple[tuple[str, ...], int]:
    """Read C{[HOST:]PORT}: addresses of our own, and a UDP port.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    hosts, port = udp_encapsulation(text)
    return own(TransportAddress(hosts, port)).hosts, port
