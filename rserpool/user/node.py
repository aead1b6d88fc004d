"""What a pool user gives to those who watch pools (RFC 5352 section 2.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.core.user.events import PoolChanged
from rserpool.core.user.places import serves_at
from rserpool.core.wire.parameters import PoolElementParameter


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
    same = (element.user_transport.kind == "sctp") == (address.protocol == "sctp")
    return same and any(serves_at(element, host, address.port) for host in address.hosts)
