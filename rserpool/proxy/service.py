"""A layer 4 proxy as a Twisted service: whoever connects to it is connected to an element of a pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.handles import handle_text
from rserpool.core.user.places import describe
from rserpool.core.user.resolution import PoolChanged
from rserpool.core.user.trying import TIMEOUT
from rserpool.node.counting import CountedLog
from rserpool.proxy.relay import End
from rserpool.proxy.relayed import Counters, Relayed
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.node import Subscription
from rserpool.user.service import PoolUserService

GRACE = 30.0
"""Seconds that connections have to end when the proxy stops, where nothing else is said."""
LIMIT = 1000
"""So many connections at once, where nothing else is said; each takes two file descriptors."""


class _Accepting(Factory):
    noisy = False

    def __init__(self, proxy: ProxyService) -> None:
        self._proxy = proxy

    def buildProtocol(self, address: IAddress | None) -> End:
        return Relayed(self._proxy).client


class ProxyService(Service):
    """Relays connections to the elements of a pool, over TCP or SCTP, in the order of the pool's policy.

    An element that refuses is reported, and the next one is tried; also when it closes before any byte was passed.

    @param user: a L{PoolUserService}; if it does not run it is started and stopped with this service.
    @param pool: the pool handle.
    @param listen: where to accept connections.
    @param drop: whether to abort connections to elements that the registrar removes.
    @param limit: so many connections at once; who comes beyond that is closed at once.
    @param grace: seconds that connections have to end when the service stops.
    @param timeout: seconds until a client is given up for which no element accepts.
    @ivar counters: what it has done so far.
    @ivar ports: what it listens on.
    @ivar waiting: clients for which the pool has no element.
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
    ) -> None:
        self.counters = Counters()
        self.ports: list[IListeningPort] = []
        self.endpoint = PoolClientEndpoint(user, pool, drop=drop, timeout=timeout)
        self.listening: Deferred[None] | None = None
        self.reactor: Any = user.reactor
        self.timeout = timeout
        self.waiting: set[Relayed] = set()
        self._user = user
        self._subscription: Subscription | None = None
        self._our_user = False
        self._listen = list(listen)
        self._limit = limit
        self._grace = grace
        self._relayed: set[Relayed] = set()
        self._empty: list[Deferred[None]] = []
        self._lines = CountedLog(user.reactor, self._log)

    def startService(self) -> None:
        """Begin to accept connections; C{listening} fires when it does, or fails with C{CannotListenError}."""
        if self.running:
            return
        super().startService()
        if not self._user.running:
            self._our_user = True
            self._user.startService()
        # A pool that is watched is known at once, as it is now.
        self._subscription = self._user.subscribe(self.endpoint.handle, self._changed)
        self.listening = ensureDeferred(self._open())

    async def _open(self) -> None:
        for endpoint in self._listen:
            port = await endpoint.listen(_Accepting(self))
            if not self.running:
                await maybeDeferred(port.stopListening)
                return
            self.ports.append(port)
            self._log.info("relays {at} to pool {pool}", at=address_text(port), pool=handle_text(self.endpoint.handle))

    def stopService(self) -> Deferred[None]:
        """Accept no more, and let connections end; what is left when the time is over is aborted."""
        if not self.running:
            return defer.succeed(None)
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        ports, self.ports = self.ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        if self._relayed:
            self._log.info("waiting for {count} connections", count=len(self._relayed))
            empty: Deferred[None] = Deferred()
            self._empty.append(empty)
            empty.addTimeout(self._grace, self.reactor)
            try:
                await empty
            except defer.TimeoutError:
                self.hurry()
        self._lines.stop()
        self._log.info("{counters}", counters=str(self.counters))
        if self._subscription is not None:
            self._subscription.stop()
            self._subscription = None
        if self._our_user:
            self._our_user = False
            await self._user.stopService()

    def hurry(self) -> None:
        """Abort every connection now."""
        for relayed in list(self._relayed):
            relayed.abort()

    def _changed(self, change: PoolChanged) -> None:
        count = len(change.elements or ())
        self._lines.info(
            "changes of the pool", "pool {pool} has {count} elements", pool=handle_text(change.handle), count=count
        )
        if count:
            waiting, self.waiting = self.waiting, set()
            for relayed in waiting:
                relayed.pool_is_back()

    # What happens to connections

    def came(self, relayed: Relayed) -> bool:
        """A client is there; whether it may stay."""
        counters = self.counters
        counters.accepted += 1
        if counters.open >= self._limit or not self.running:
            counters.refused += 1
            self._lines.warn(
                "beyond the limit", "{who}: there are {limit} connections already", who=_who(relayed), limit=self._limit
            )
            relayed.abort()
            return False
        counters.open += 1
        self._relayed.add(relayed)
        return True

    def gone(self, relayed: Relayed) -> None:
        """A client has left."""
        if relayed in self._relayed:
            self._relayed.discard(relayed)
            self.counters.open -= 1
        if not self._relayed:
            empty, self._empty = self._empty, []
            for waiting in empty:
                if not waiting.called:
                    waiting.callback(None)

    def again(self, end: End, reason: Failure) -> None:
        """An element accepted and closed at once."""
        self.counters.again += 1
        element = self.endpoint.element_of(end)
        if element is None:
            return
        self._lines.info(
            "tried again", "{element} closed at once: {why}", element=describe(element), why=reason.getErrorMessage()
        )
        if not reason.check(ConnectionDone):
            self.endpoint.report(element)

    def failed(self, relayed: Relayed, failure: Failure) -> None:
        """No element serves a client."""
        self.counters.failed += 1
        self._lines.warn("without an element", "{who}: {why}", who=_who(relayed), why=failure.getErrorMessage())


def _who(relayed: Relayed) -> str:
    peer = relayed.client.transport.getPeer()
    host = getattr(peer, "host", None)
    return "a client" if host is None else f"{host}:{peer.port}"


def address_text(port: Any) -> str:
    """Where a port listens: C{tcp 127.0.0.1:8080}, C{unix /run/www}."""
    address = port.getHost()
    host = getattr(address, "host", None)
    if host is None:
        name = getattr(address, "name", b"")
        return f"unix {name.decode(errors='backslashreplace') if isinstance(name, bytes) else name}"
    kind = str(getattr(address, "type", "tcp")).lower()
    return f"{kind} [{host}]:{address.port}" if ":" in host else f"{kind} {host}:{address.port}"
