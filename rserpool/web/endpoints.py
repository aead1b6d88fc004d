"""Endpoints for the hosts of URLs: what C{Agent.usingEndpointFactory} takes to reach C{http://POOL/}."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.web.client import URI
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_text
from rserpool.core.hosts import PoolHosts, WebPool
from rserpool.core.user.trying import GRACE, TIMEOUT
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService
from rserpool.user.tls import TlsEndpoint, checks_of

PORTS = {b"http": 80, b"https": 443}
T = TypeVar("T")


@implementer(IAgentEndpointFactory)
class PoolEndpointFactory:
    """Makes endpoints of C{http://POOL/} and C{https://POOL/}.

    Connections to elements that the registrar removes are dropped: idle ones at once; where a response is under way,
    C{grace} seconds later at most if the element left by itself, and 5 s if it did not answer the registrar.

    @param user: a L{PoolUserService<rserpool.user.service.PoolUserService>}.
    @param hosts: which host stands for which pool, and which names the certificates bear.
    @param tls: called with such a name, makes what checks it: C{optionsForClientTLS}, perhaps with a C{trustRoot} of
        one's own. By default the C{server-ca} of what secures the user, or else the trust roots of the platform.
    @param timeout: seconds until a connect gives up.
    @param attempt: seconds that one element may take to accept, with TLS; T1 of the profile by default.
    @param items: how many elements to ask the registrar for; None for all.
    @param grace: seconds that a response may still take when its element leaves the pool.
    """

    def __init__(
        self,
        user: PoolUserService,
        hosts: PoolHosts | None = None,
        *,
        tls: Callable[[str], IOpenSSLClientConnectionCreator] | None = None,
        timeout: float = TIMEOUT,
        attempt: float | None = None,
        items: int | None = None,
        grace: float = GRACE,
    ) -> None:
        self.user = user
        self.hosts = hosts or PoolHosts()
        self._tls = tls or partial(checks_of, user)
        self._options: dict[str, Any] = {"timeout": timeout, "attempt": attempt, "items": items, "grace": grace}
        self._endpoints: dict[bytes, PoolClientEndpoint] = {}

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The endpoint for the host of a URL.

        @return: a L{PoolWebEndpoint}; a host that is no pool, or a pool without a certificate name, fails when it is
            connected to, with L{ConfigurationError<rserpool.core.errors.ConfigurationError>}.
        @raise SchemeNotSupported: if the URL is neither http nor https.
        """
        if uri.scheme not in PORTS:
            raise SchemeNotSupported(f"Unsupported scheme: {uri.scheme!r}")
        try:
            return self._endpoint(uri)
        except ConfigurationError as error:
            return _Wrong(error)

    def close(self) -> None:
        """Watch the pools no more, until there is another connection; no timer is left behind."""
        for endpoint in self._endpoints.values():
            endpoint.stop_watching()

    def _endpoint(self, uri: URI) -> PoolWebEndpoint:
        host = uri.host.decode("ascii", "replace")
        if uri.port != PORTS[uri.scheme]:
            raise ConfigurationError(
                f"{host}:{uri.port}: an element's port is that of its registration; write no port in the URL of a pool"
            )
        pool = self.hosts.pool(host)
        if uri.scheme == b"http":
            return PoolWebEndpoint(self._pool(pool), None, None)
        if pool.certificate is None:
            raise ConfigurationError(
                f"https: which name do the certificates of pool {handle_text(pool.handle)!r} bear? PoolHosts can say it"
            )
        try:
            creator = self._tls(pool.certificate)
        except ValueError as error:
            raise ConfigurationError(f"{pool.certificate!r} is no name of a certificate: {error}") from None
        return PoolWebEndpoint(self._pool(pool), pool.certificate, creator)

    def _pool(self, pool: WebPool) -> PoolClientEndpoint:
        endpoint = self._endpoints.get(pool.handle)
        if endpoint is None:
            endpoint = self._endpoints[pool.handle] = PoolClientEndpoint(
                self.user, pool.handle, drop=True, spare=_busy, **self._options
            )
        return endpoint


@implementer(IStreamClientEndpoint)
class PoolWebEndpoint:
    """Connects to an element of a pool, with TLS or without.

    @ivar pool: the pool's endpoint.
    @ivar certificate: the name that is checked; None without TLS.
    @ivar element: who was connected to last.
    @ivar reused: whether that connection was open before.
    @ivar fresh: whether only a new connection will do.
    @ivar repeats: whether who connects repeats by himself what an old connection lost.
    """

    def __init__(
        self, pool: PoolClientEndpoint, certificate: str | None, creator: IOpenSSLClientConnectionCreator | None
    ) -> None:
        self.pool = pool
        self.certificate = certificate
        self.element: PoolElementParameter | None = None
        self.reused = False
        self.fresh = self.repeats = False
        self._creator = creator

    def __repr__(self) -> str:
        scheme = "http" if self.certificate is None else "https"
        return f"<PoolWebEndpoint {scheme} to pool {handle_text(self.pool.handle)!r}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect to an element.

        @return: see L{PoolClientEndpoint.connect_by}.
        """
        return self.connect_by(lambda endpoint, key: endpoint.connect(protocolFactory))

    def connect_by(self, connect: Callable[[IStreamClientEndpoint, Hashable], Deferred[T]]) -> Deferred[T]:
        """Connect to an element, perhaps by a connection that is open.

        @param connect: called with an endpoint at an element, and a key that stands for this element, and for how it is
            spoken to.
        """

        def attempt(endpoint: IStreamClientEndpoint, element: PoolElementParameter) -> Deferred[T]:
            self.element, self.reused = element, True
            if self._creator is not None and self.certificate is not None:
                endpoint = TlsEndpoint(self._creator, endpoint, self.certificate, self.pool.user.reactor)
            key = ("rserpool", self.pool.handle, self.certificate, element.identifier, element.user_transport)
            return connect(_New(self, endpoint), key)

        return self.pool.connect_by(attempt)

    def report(self) -> None:
        """Tell the registrar that the element failed that was connected to last."""
        if self.element is not None:
            self.pool.report(self.element)


@implementer(IStreamClientEndpoint)
class _New:
    """Notes that a connection is new."""

    def __init__(self, web: PoolWebEndpoint, inner: IStreamClientEndpoint) -> None:
        self._web = web
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._web)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self._web.reused = False
        return self._inner.connect(protocolFactory)


@implementer(IStreamClientEndpoint)
class _Wrong:
    """Cannot connect, and says why."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return fail(self._error)


def _busy(protocol: Any) -> bool:
    """Whether an HTTP connection is in use."""
    return getattr(protocol, "state", "QUIESCENT") != "QUIESCENT"
