"""How a proxy connects with elements: over TCP by connections that do at once what can be done at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IStreamClientEndpoint

from rserpool.core.addresses import TransportAddress
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService

DIRECTLY = sys.platform == "linux"
"""Whether an accepted socket has the options of that which listens."""


class Elements(PoolClientEndpoint):
    """The elements of the pool of a proxy.

    @ivar accept: what a port that listens is given to, with its factory.
    """

    def __init__(self, user: PoolUserService, pool: bytes | str, **options: Any) -> None:
        super().__init__(user, pool, **options)
        self.accept: Callable[[Any, Any], object] = lambda port, factory: None
        self._directly = DIRECTLY and options.get("tls") is None and IReactorFDSet.providedBy(user.reactor)
        if DIRECTLY:
            # It loads TLS; and later nothing may be there to load, since C{twistd} changes its root directory.
            from rserpool.proxy.direct import ClientEndpoint, accept_directly

            self.accept, self._connector = accept_directly, ClientEndpoint

    def _at(self, address: TransportAddress, seconds: float) -> IStreamClientEndpoint:
        if not self._directly or address.protocol != "tcp":
            return super()._at(address, seconds)
        return self._connector(self.user.reactor, address)
