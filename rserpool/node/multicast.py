"""Announcements of registrars by multicast (RFC 5352 sections 3.6 and 8.4, RFC 5353 section 3.1)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from rserpool.core.addresses import ASAP_PORT, ENRP_PORT, TransportAddress, scope
from rserpool.node.own_ports import own_port

IPV4_GROUP = "224.0.1.185"
"""RFC 5352 section 8.4."""
IPV6_GROUP = "ff02::133"
"""RFC 5352 section 8.4, with link-local scope."""
ENRP_GROUP = TransportAddress(("239.0.0.51",), ENRP_PORT)
"""Where rsplib's registrars find each other; RFC 5353 names no group."""
TTL = 30
IF_INET6 = Path("/proc/net/if_inet6")


class MulticastGroup(DatagramProtocol):
    """A multicast group on one interface: sends announcements, and hands on those that come in.

    @ivar received: C{received(data, source)} is called for each datagram.
    """

    _log = Logger()

    def __init__(self, group: TransportAddress, interface: str, received: Callable[[bytes, str], None]) -> None:
        self._group = group
        self._interface = interface
        self._received = received
        self._zone = ""
        self._port: Any = None

    def start(self, reactor: Any) -> IListeningPort:
        """Join the group.

        @raise twisted.internet.error.CannotListenError: if the port cannot be shared.
        """
        any_interface = "::" if ":" in self._interface else "0.0.0.0"  # noqa: S104
        port = reactor.listenMulticast(self._group.port, self, interface=any_interface, listenMultiple=True)
        self._port = own_port(port)
        return self._port  # type: ignore[no-any-return]

    def startProtocol(self) -> None:
        transport: Any = self.transport
        group = self._group.hosts[0]
        if ":" in self._interface:
            # Twisted's own methods join at whichever interface the system prefers, or know IPv4 alone.
            try:
                index = _interface_index(self._interface)
                self._zone = f"%{socket.if_indextoname(index)}" if index else ""
                _join_ipv6(transport.getHandle(), group, index)
            except OSError as error:
                self._not_joined(str(error.strerror or error))
            return
        transport.setTTL(TTL)
        transport.setOutgoingInterface(self._interface)
        joined = transport.joinGroup(group, self._interface)
        joined.addErrback(lambda failure: self._not_joined(failure.getErrorMessage()))

    def _not_joined(self, reason: str) -> None:
        self._log.warn(
            "cannot join the multicast group {group} at {interface}: {reason}",
            group=self._group.hosts[0],
            interface=self._interface,
            reason=reason,
        )

    def send(self, data: bytes) -> None:
        """Announce; a network that is down now is tried again with the next announcement."""
        transport: Any = self.transport
        if transport is None:
            return
        try:
            transport.write(data, (self._group.hosts[0], self._group.port))
        except OSError as error:
            self._log.debug("cannot announce: {error}", error=error)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        host = addr[0]
        if ":" in host and "%" not in host and scope(host) == "link":
            # Who answers there needs to know on which link.
            host += self._zone
        self._received(datagram, host)


def default_group(interface: str) -> TransportAddress:
    """The group of RFC 5352 section 8.4 in the family of a local address."""
    return TransportAddress((IPV6_GROUP if ":" in interface else IPV4_GROUP,), ASAP_PORT)


def _join_ipv6(handle: socket.socket, group: str, index: int) -> None:
    request = socket.inet_pton(socket.AF_INET6, group.partition("%")[0]) + struct.pack("@I", index)
    handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    handle.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)


def _interface_index(host: str) -> int:
    """The number of the interface that has this IPv6 address; 0 (let the system choose) where that is unknown."""
    address, _, zone = host.partition("%")
    if zone:
        return int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    packed = socket.inet_pton(socket.AF_INET6, address).hex()
    try:
        lines = IF_INET6.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith(packed)), 0)
