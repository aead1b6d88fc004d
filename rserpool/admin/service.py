"""The admin interface of one role as a Twisted service: what C{--admin} starts, for programs as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from rserpool.admin.askers import Asker, Token, over_tcp, over_unix
from rserpool.admin.interface import Interface, Located
from rserpool.admin.loop_delay import LoopDelay
from rserpool.admin.metrics import Metric, gauge
from rserpool.admin.opening import admin_place
from rserpool.admin.places import Place, TcpPlace, UnixPlace
from rserpool.admin.site import AdminSite
from rserpool.admin.subjects import ElementSubject, RegistrarSubject, Subject, UserSubject
from rserpool.admin.unix import listen_unix
from rserpool.core.access import Access
from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.node.own_ports import own_port
from rserpool.node.reactor import clock_of
from rserpool.security.following import Secured

__all__ = ["AdminService", "ElementSubject", "RegistrarSubject", "UserSubject"]


class AdminService(Service):
    """Shows a role at each of these places (docs/admin.md).

    @param subject: the role: a L{RegistrarSubject}, L{ElementSubject} or L{UserSubject}.
    @param places: where: paths of Unix sockets, C{"HOST:PORT"}, C{"https://HOST:PORT"}; beyond this host with TLS.
    @param secured: what secures the role, as its service has it (C{registrar.secured}): TLS here has its certificate,
        and its operators are operators here.
    @param token: the path of the file (mode 0600) with what proves that an operator asks, where no certificate does.
    @ivar ports: what it listens on.
    @raise ConfigurationError: if a place is none, or the token cannot be used.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        subject: Subject,
        places: Sequence[Place | str],
        *,
        secured: Secured | None = None,
        token: Token | str | None = None,
    ) -> None:
        self._reactor = reactor
        self._places = tuple(admin_place(each) if isinstance(each, str) else each for each in places)
        self._secured = secured
        self._token = Token(Path(token)) if isinstance(token, str) else token
        self.interface = Interface(subject, now=clock_of(reactor))
        self._subject = subject
        self._delay = LoopDelay(reactor)
        self.interface.more += [self._delay.metric, self._connections]
        self._observing: Callable[[], object] | None = None
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
        if self._secured is not None:
            self._secured.start(self._reactor)
        self._observing = self._subject.observe(self.interface.history.add)
        self._delay.start()
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """Listen no more, and end what is under way."""
        if self.running and self._secured is not None:
            self._secured.stop()
        if self._observing is not None:
            self._observing()
            self._observing = None
        self._delay.stop()
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
        if isinstance(place, UnixPlace):
            site = self._site(place, over_unix)
            self.ports.append(listen_unix(self._reactor, place.path, site))
            self._log.info("admin interface: {at} (for its owner and root)", event="admin", at=place.path)
            return
        tls = self._tls(place) if place.tls else None
        site = self._site(place, lambda request: over_tcp(request, self._token, self._access), tls)
        factory: Any = site
        if tls is not None:
            from twisted.protocols.tls import TLSMemoryBIOFactory

            factory = TLSMemoryBIOFactory(tls, False, site, self._reactor)
            factory.noisy = False
        for host in place.address.hosts:
            self.ports.append(self._open(host, place.address.port, factory))
            where = TransportAddress((host,), self.ports[-1].getHost().port)
            self._log.info("admin interface: {at}", event="admin", at=f"{'https' if tls else 'http'}://{where}/")

    def _open(self, host: str, port: int, factory: Any) -> Any:
        try:
            return own_port(self._reactor.listenTCP(port, factory, interface=host))
        except CannotListenError as error:
            why = getattr(error.socketError, "strerror", None) or error.socketError
            where = TransportAddress((host,), port)
            raise ConfigurationError(f"the admin interface cannot listen at {where}: {why}") from None

    def _site(self, place: Place, asker: Callable[[Any], Asker], tls: Any = None) -> AdminSite:
        named = place.address.hosts if isinstance(place, TcpPlace) else ()
        located = Located(self.interface, place, asker, lambda: (*named, *(tls.names if tls is not None else ())))
        self._sites.append(AdminSite(self._reactor, located.respond))
        return self._sites[-1]

    def _tls(self, place: TcpPlace) -> Any:
        if self._secured is None:
            raise ConfigurationError(
                f"the admin interface at {place.address} speaks TLS, since others can reach it: name a certificate "
                "with --security, or take 127.0.0.1 or the path of a socket"
            )
        # It loads OpenSSL.
        from rserpool.security.serving import ServerTls

        missing = (
            "the admin interface beyond this host needs a certificate in what --security names (certificate.pem, "
            "private-key.pem): browsers know no keys"
        )
        return ServerTls(self._secured, missing, b"rserpool admin")

    def _connections(self) -> Metric:
        number = sum(len(site.there) for site in self._sites)
        return gauge("rserpool_admin_connections", "Connections to the admin interface.", number)

    def _access(self) -> Access | None:
        return None if self._secured is None else self._secured.current.access


def shown(
    reactor: Any,
    service: IService,
    subject: Subject,
    places: Sequence[Place],
    secured: Secured | None,
    token: Token | None,
) -> IService:
    """The service to run: C{service}, and what shows it to others, which is there once that runs."""
    both = MultiService()
    service.setServiceParent(both)
    AdminService(reactor, subject, places, secured=secured, token=token).setServiceParent(both)
    return both
