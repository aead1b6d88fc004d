"""A process of a scope that uses pools."""

from __future__ import annotations

from typing import Any

from rserpool.core.handles import handle_of
from rserpool.core.user import PoolUser
from rserpool.testing.process import Process, Surroundings
from rserpool.testing.seen import Seen
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService


class UserProcess(Process):
    """A process that uses pools.

    @ivar service: its L{PoolUserService}.
    @ivar seen: the pools that it watches.
    """

    letter, net = "u", 2
    service: PoolUserService

    def __init__(self, scope: Surroundings, name: str, host: str, options: dict[str, Any]) -> None:
        super().__init__(scope, name, host, options)
        self.seen: dict[bytes, Seen] = {}

    @property
    def role(self) -> PoolUser | None:
        return self.service._user

    @property
    def node(self) -> Any:
        return self.service._node

    def endpoint(self, pool: bytes | str, **options: Any) -> PoolClientEndpoint:
        """A client endpoint for a pool; see L{PoolClientEndpoint}."""
        return PoolClientEndpoint(self.service, pool, **options)

    def watch(self, pool: bytes | str) -> Seen:
        """Subscribe to a pool; what is returned shows it."""
        seen = self.seen[handle_of(pool)] = Seen()
        self.service.subscribe(pool, seen.changed)
        return seen

    def _start(self) -> None:
        self.seen.clear()
        transport = self._options.get("transport", "sctp")
        registrars = self.scope.addresses if transport != "tcp" else self.scope.tcp_addresses
        options = {"profile": self.scope.profile, "registrars": registrars, "transport": transport, **self._options}
        self.service = PoolUserService(self.reactor, stack=self.stack, random=self.random, **options)
        self.service.startService()
        self._listen()
        self._hear()
