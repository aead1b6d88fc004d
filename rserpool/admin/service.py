"""The admin interface of one role as a Twisted service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from rserpool.admin.interface import Interface
from rserpool.admin.places import Place, TcpPlace, UnixPlace
from rserpool.admin.site import AdminSite
from rserpool.admin.subjects import Subject
from rserpool.admin.unix import listen_unix
from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import ConfigurationError


class AdminService(Service):
    """Shows a role at each of these places.

    @param subject: the role.
    @param places: where; each with IP addresses by now.
    @ivar ports: what it listens on.
    """

    _log = Logger()

    def __init__(self, reactor: Any, subject: Subject, places: Sequence[Place]) -> None:
        self._reactor = reactor
        self._places = tuple(places)
        self.interface = Interface(subject)
        self.ports: list[Any] = []
        self._sites: list[AdminSite] = []

    def startService(self) -> None:
        """Listen.

        @raise ConfigurationError: if that is impossible somewhere: it says where, and why.
        """
        if self.running:
            return
        try:
            for place in self._places:
                self._listen(place)
        except BaseException:
            self._close()
            raise
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """Listen no more, and end what is under way."""
        super().stopService()
        return self._close()

    def _close(self) -> Deferred[Any]:
        ports, self.ports = self.ports, []
        sites, self._sites = self._sites, []
        waiting = [maybeDeferred(port.stopListening) for port in ports]
        for site in sites:
            for channel in list(site.there):
                channel.abort()
        return DeferredList(waiting)

    def _listen(self, place: Place) -> None:
        site = AdminSite(self._reactor, self.interface.at(place).respond)
        self._sites.append(site)
        if isinstance(place, UnixPlace):
            self.ports.append(listen_unix(self._reactor, place.path, site))
            self._log.info("admin interface: {path} (for its owner and root)", path=place.path)
        else:
            self._listen_tcp(place, site)

    def _listen_tcp(self, place: TcpPlace, site: AdminSite) -> None:
        if place.tls:
            raise ConfigurationError(f"--admin {place.address}: beyond this host it would have to speak TLS")
        for host in place.address.hosts:
            port = self._reactor.listenTCP(place.address.port, site, interface=host)
            self.ports.append(port)
            where = TransportAddress((host,), port.getHost().port)
            self._log.info("admin interface: http://{where}/", where=str(where))
