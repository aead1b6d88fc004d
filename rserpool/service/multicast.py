"""Announcements of registrars by multicast (RFC 5352 sections 3.6 and 8.4, RFC 5353 section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from rserpool.addresses import ASAP_PORT, ENRP_PORT, TransportAddress

IPV4_GROUP = "224.0.1.185"
"""RFC 5352 section 8.4."""
IPV6_GROUP = "ff02::133"
"""RFC 5352 section 8.4, with link-local scope."""
ENRP_GROUP = TransportAddress(("239.0.0.51",), ENRP_PORT)
"""Where rsplib's registrars find each other; RFC 5353 names no group."""
TTL = 30


class AnnouncementChannel(DatagramProtocol):
    """A multicast group on one interface: sends announcements, and hands on those that come in.

    @ivar received: C{received(data, source)} is called for each datagram.
    """

    _log = Logger()

    def __init__(self, group: TransportAddress, interface: str, received: Callable[[bytes, str], None]) -> None:
        self._group = group
        self._interface = interface
        self._received = received
        self._port: Any = None

    def start(self, reactor: Any) -> IListeningPort:
        """Join the group.

        @raise twisted.internet.error.CannotListenError: if the port cannot be shared.
        """
        any_interface = "::" if ":" in self._interface else "0.0.0.0"  # noqa: S104
        self._port = reactor.listenMulticast(
            self._group.port, self, interface=any_interface, listenMultiple=True
        )
        return self._port  # type: ignore[no-any-return]

    def startProtocol(self) -> None:
        transport: Any = self.transport
        transport.setTTL(TTL)
        if ":" not in self._interface:
            transport.setOutgoingInterface(self._interface)
            joined = transport.joinGroup(self._group.hosts[0], self._interface)
        else:
            joined = transport.joinGroup(self._group.hosts[0])
        joined.addErrback(
            lambda failure: self._log.warn(
                "cannot join the multicast group {group} at {interface}: {reason}",
                group=self._group.hosts[0],
                interface=self._interface,
                reason=failure.getErrorMessage(),
            )
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
        self._received(datagram, addr[0])


def default_group(interface: str) -> TransportAddress:
    """The group of RFC 5352 section 8.4 in the family of a local address."""
    return TransportAddress((IPV6_GROUP if ":" in interface else IPV4_GROUP,), ASAP_PORT)
