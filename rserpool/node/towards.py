"""Our own addresses from which registrars are reached, as the system chooses them, and how they change.

A laptop, a container or a lease of DHCP may get another address: what is bound to the old one is deaf.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rserpool.core.addresses import TransportAddress, only_this_host
from rserpool.core.errors import ConfigurationError
from rserpool.node.candidates import local_hosts_towards
from rserpool.node.netlink import ADDRESSES, ROUTES, Netlink
from rserpool.node.own_addresses import wildcard
from rserpool.sctp.lookup import addresses_of


class Towards(Netlink):
    """Addresses towards registrars; they change only when one of them is gone.

    @ivar present: those of now.
    """

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[TransportAddress],
        present: tuple[str, ...],
        changed: Callable[[tuple[str, ...]], object],
    ) -> None:
        """
        @param registrars: by their addresses.
        @param present: what L{local_hosts_towards} said of the registrars.
        @param changed: is called with the addresses when they have changed, between L{start} and L{stop}.
        @raise ConfigurationError: if this system does not tell of changes.
        """
        super().__init__(reactor, ADDRESSES | ROUTES)
        self.present = present
        self._registrars = registrars
        self._changed = changed

    def look(self) -> None:
        if all(_ours(host) for host in self.present):
            return
        try:
            present = local_hosts_towards(self._registrars)
        except ConfigurationError:
            # There is no way yet; when there is one, a route comes.
            return
        if present != self.present:
            self.present = present
            self._changed(present)


def towards(
    reactor: Any,
    registrars: Sequence[TransportAddress],
    present: tuple[str, ...],
    changed: Callable[[tuple[str, ...]], object],
) -> Towards | None:
    """Watch these addresses, if that makes sense here: those of loopback and of all addresses stay."""
    if not present or only_this_host(present) or wildcard(present):
        return None
    with suppress(ConfigurationError):
        # A name is looked up now: later, without a network, that would keep everything waiting.
        at = [replace(each, hosts=tuple(addresses_of(host)[0] for host in each.hosts)) for each in registrars]
        watching = Towards(reactor, at, present, changed)
        watching.start()
        return watching
    return None


def _ours(host: str) -> bool:
    """Whether it is an address of this host."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as trying:
            trying.bind(address)
    except OSError:
        return False
    return True
