"""A layer 4 proxy as a Twisted service: whoever connects to it is connected to an element of a pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.core.handles import handle_text
from rserpool.core.user.events import PoolChanged
from rserpool.core.user.trying import GRACE, TIMEOUT
from rserpool.node.counting import CountedLog
from rserpool.node.leaving import close_to_others
from rserpool.node.lifetime import Lifetime
from rserpool.proxy.clients import Clients, in_use
from rserpool.proxy.elements import Elements
from rserpool.security.following import Secured
from rserpool.user.service import PoolUserService
from rserpool.user.subscriptions import Subscription

LOOK = 0.25
"""Seconds between two looks at whether connections are in use, when the proxy stops."""
LIMIT = 1000
"""So many connections at once, where nothing else is said; each takes two file descriptors."""


class ProxyService(Service):
    """Relays connections to the elements of a pool, over TCP or SCTP, in the order of the pool's policy.

    An element that refuses is reported, and the next one is tried; also when it closes before any byte was passed.

    @param user: a L{PoolUserService}; if it does not run it is started and stopped with this service.
    @param pool: the pool handle.
    @param listen: where to accept connections.
    @param drop: whether to abort connections to elements that the registrar removes; those that are in use C{grace}
        seconds later at most, if the element left by itself.
    @param limit: so many connections at once; who comes beyond that is closed at once.
    @param grace: seconds that connections have to end when the service stops.
    @param timeout: seconds until a client is given up for which no element accepts.
    @param tls: speak TLS with elements, whose certificates must be for this name; whatever clients speak is passed
        through without it. With C{tls_ca} as L{PoolClientEndpoint} has it.
    @ivar counters: what it has done so far.
    @ivar ports: what it listens on.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        listen: Sequence[IStreamServerEndpoint],
        *,
        drop: bool = False,
        limit: int = LIMIT,
        grace: float = GRACE,
        timeout: float = TIMEOUT,
        tls: str | None = None,
        tls_ca: bytes | None = None,
    ) -> None:
        """
        @raise ConfigurationError: if something is wrong with C{tls} or C{tls_ca}.
        """
        self.ports: list[IListeningPort] = []
        self.endpoint = Elements(
            user, pool, drop=drop, timeout=timeout, grace=grace, spare=in_use, tls=tls, tls_ca=tls_ca
        )
        self.listening: Deferred[None] | None = None
        self._user = user
        self._subscription: Subscription | None = None
        # Fires when it is known what the pool has.
        self._known: Deferred[None] = Deferred()
        self._our_user = False
        self._listen = list(listen)
        self._grace = grace
        self._missing = False
        self.there: Callable[[int], object] = lambda count: None
        self._lines = CountedLog(user.reactor, self._log)
        self._clients = Clients(self.endpoint, limit, timeout, self._lines)
        self.counters = self._clients.counters
        self._life = Lifetime("the proxy", lambda: None)

    @property
    def secured(self) -> Secured | None:
        """What secures its user; None if nothing does."""
        return self._user.secured

    def startService(self) -> None:
        """Begin to accept connections; C{listening} fires when it does, or fails with C{CannotListenError}.

        @raise RuntimeError: if it was stopped, and has not ended yet.
        """
        if self.running:
            return
        self._life.begin()
        super().startService()
        self._clients.welcome = True
        if not self._user.running:
            self._our_user = True
            self._user.startService()
        # A pool that is watched is known at once, as it is now; if it is not, that is told.
        self._known = Deferred()
        asked = self._user.in_vain.watch(self._known, self.endpoint.handle, loudly=False)
        asked.addErrback(lambda failure: failure.trap(defer.CancelledError))
        self._subscription = self._user.subscribe(self.endpoint.handle, self._changed)
        self.listening = ensureDeferred(self._open())

    async def _open(self) -> None:
        for endpoint in self._listen:
            port = await endpoint.listen(self._clients)
            if not self.running:
                await maybeDeferred(port.stopListening)
                return
            self.endpoint.accept(port, self._clients)
            self.ports.append(port)
            self._log.info(
                "relays {at} to pool {pool}",
                event="relays",
                at=address_text(port),
                pool=handle_text(self.endpoint.handle),
            )

    def stopService(self) -> Deferred[None]:
        """Accept no more, and let connections end; what is left when the time is over is aborted."""
        if not self.running:
            return defer.succeed(None)
        super().stopService()
        close_to_others(self.ports)
        self._clients.welcome = False
        return ensureDeferred(self._life.end(self._stop()))

    async def _stop(self) -> None:
        ports, self.ports = self.ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        if self.counters.open:
            self._log.info("waiting for {count} connections", event="draining", count=self.counters.open)
            idle = LoopingCall(self._clients.end_idle)
            idle.clock = self._user.reactor
            idle.start(LOOK)
            try:
                await self._clients.empty().addTimeout(self._grace, self._user.reactor)
            except defer.TimeoutError:
                self.hurry()
            finally:
                idle.stop()
        self._lines.stop()
        self._log.info("{counters}", event="counters", counters=str(self.counters))
        if self._subscription is not None:
            self._subscription.stop()
            self._subscription = None
            self._known.cancel()
        if self._our_user:
            self._our_user = False
            await self._user.stopService()

    def change(self, *, limit: int | None = None, grace: float | None = None, timeout: float | None = None) -> None:
        """Go by other settings from now on, for who comes from now on; None leaves one as it is."""
        if grace is not None:
            self._grace = grace
        self._clients.change(limit, timeout)

    def hurry(self) -> None:
        """Abort every connection now."""
        self._clients.abort()

    def _changed(self, change: PoolChanged) -> None:
        pool, count = handle_text(change.handle), len(change.elements or ())
        if change.elements is None:
            self._missing = True
            self._known.cancel()
            self._lines.warn("changes of the pool", "no pool is named {pool} now: clients wait for it", pool=pool)
            return
        if not self._known.called:
            self._known.callback(None)
        if self._missing and count:
            self._missing = False
            self._log.info("pool {pool} is there: {count} elements", event="pool-there", pool=pool, count=count)
            self.there(count)
            self._clients.pool_is_back()
            return
        self._lines.info("changes of the pool", "pool {pool} has {count} elements", pool=pool, count=count)
        if count:
            self._clients.pool_is_back()


def address_text(port: Any) -> str:
    """Where a port listens: C{tcp 127.0.0.1:8080}, C{unix /run/www}."""
    address = port.getHost()
    host = getattr(address, "host", None)
    if host is None:
        name = getattr(address, "name", b"")
        return f"unix {name.decode(errors='backslashreplace') if isinstance(name, bytes) else name}"
    kind = str(getattr(address, "type", "tcp")).lower()
    return f"{kind} [{host}]:{address.port}" if ":" in host else f"{kind} {host}:{address.port}"
