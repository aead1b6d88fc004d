"""The Node of a pool user, and what it gives to those who watch pools (RFC 5352 sections 2.1 and 2.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.user.pool_user import PoolUser
from rserpool.core.user.resolution import PoolChanged
from rserpool.core.wire.parameters import PoolElementParameter, SctpTransport
from rserpool.node.driver import Channel, Node
from rserpool.node.tcp import connect_tcp
from rserpool.sctp.interfaces import ISctpAssociation


class UserNode(Node):
    """A Node that knows its TCP connections, and when the last one is gone."""

    def __init__(self, reactor: Any, role: PoolUser, notify: Callable[[Any], None]) -> None:
        super().__init__(reactor, role, notify)
        self._connections: set[ISctpAssociation] = set()
        self._empty: list[Deferred[None]] = []

    def speak_tcp(self, reactor: Any) -> None:
        """Reach registrars over TCP."""

        def connect(peer: TransportAddress, node: Channel) -> ISctpAssociation:
            connection = connect_tcp(reactor, peer, node)
            self._connections.add(connection)
            return connection

        self.connect_tcp = connect

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._connections.discard(association)
        super().associationLost(association, reason)
        if not self._connections:
            while self._empty:
                self._empty.pop().callback(None)

    def empty(self) -> Deferred[None]:
        """Fires when there is no TCP connection."""
        waiting: Deferred[None] = Deferred()
        if self._connections:
            self._empty.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def abandon(self) -> None:
        """Abort what is left."""
        for connection in list(self._connections):
            connection.abort()


class Subscription:
    """One watcher of one pool, made by C{PoolUserService.subscribe}."""

    _log = Logger()

    def __init__(self, handle: bytes, callback: Callable[[PoolChanged], object], stop: Callable[[Any], None]) -> None:
        self.handle = handle
        self._callback = callback
        self._stop = stop
        self._stopped = False

    def stop(self) -> None:
        """The callback is not called any more."""
        if not self._stopped:
            self._stopped = True
            self._stop(self)

    def tell(self, change: PoolChanged) -> None:
        """Call back, unless it was stopped."""
        if not self._stopped:
            try:
                self._callback(change)
            except Exception:
                self._log.failure("the watcher of pool {pool!r} failed", pool=self.handle)


def is_at(element: PoolElementParameter, address: TransportAddress) -> bool:
    """Whether an element serves at this address: by its protocol, at its port, and at one of its hosts."""
    transport = element.user_transport
    kind = "sctp" if isinstance(transport, SctpTransport) else "tcp"
    return (
        getattr(transport, "port", None) == address.port
        and kind == address.protocol
        and not set(transport.addresses).isdisjoint(address.hosts)
    )
