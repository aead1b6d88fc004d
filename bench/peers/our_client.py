"""A pool of this package, by its own services: one user and one element for each client, on one reactor.

Clients of one process share an SCTP stack, and so a UDP port; each has an association of its own.
"""

from __future__ import annotations

from random import Random
from typing import Any

from bench.peers.common import POOL, Element, Elements
from rserpool.core import TcpTransport, parse_transport_address, profile
from rserpool.element import PoolElementService
from rserpool.sctp import open_stack
from rserpool.user import PoolUserService


def stack_of(reactor: Any, options: Any, here: str) -> Any:
    """The stack of this process."""
    return open_stack(reactor, profile=profile(options.profile), hosts=(here,))


class Rserpool:
    """One client."""

    def __init__(self, reactor: Any, at: list[str], options: Any, stack: Any) -> None:
        registrars = [parse_transport_address(each) for each in at]
        common: dict[str, Any] = {"profile": profile(options.profile), "stack": stack}
        self.user = PoolUserService(reactor, registrars, **common)
        self.element = PoolElementService(
            reactor, registrars=registrars, hosts=(options.host,), checked=False, random=Random(), **common
        )
        self._here = options.host
        self._pools: dict[int, str] = {}

    def open(self) -> None:
        """Start both; registrars are looked for with the first question."""
        self.user.startService()
        self.element.startService()

    async def close(self) -> None:
        """Stop both."""
        await self.user.stopService()
        await self.element.stopService()

    async def resolve(self) -> Elements:
        """All elements, as the registrar has them; nothing comes from the cache."""
        found = await self.user.resolve(POOL, fresh=True)
        return {
            each.identifier: (each.user_transport.addresses[0], each.user_transport.port) for each in found.elements
        }

    async def register(self, element: Element, pool: str = POOL) -> None:
        """Register in a pool."""
        number, (host, port) = element
        await self.element.serve(pool, TcpTransport(port, host), identifier=number)
        self._pools[number] = pool

    async def deregister(self, number: int) -> None:
        """Deregister."""
        await self.element.leave(self._pools.pop(number))
