"""How a proxy connects with elements: over TCP by connections that do at once what can be done at once."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IStreamClientEndpoint

from rserpool.core.addresses import TransportAddress
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService

DIRECTLY = sys.platform == "linux"
"""Whether an accepted socket has the options of that which listens."""


class Elements(PoolClientEndpoint):
    """The elements of the pool of a proxy."""

    def __init__(self, user: PoolUserService, pool: bytes | str, **options: Any) -> None:
        super().__init__(user, pool, **options)
        self._directly = DIRECTLY and options.get("tls") is None and IReactorFDSet.providedBy(user.reactor)

    def _at(self, address: TransportAddress, seconds: float) -> IStreamClientEndpoint:
        if not self._directly or address.protocol != "tcp":
            return super()._at(address, seconds)
        # It loads TLS.
        from rserpool.proxy.direct import ClientEndpoint

        return ClientEndpoint(self.user.reactor, address)
