"""A process of a scope that serves in pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rserpool.core.element import PoolElement
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, SctpTransport, TcpTransport, UserTransport
from rserpool.element.pooled import PooledService
from rserpool.element.ports import has_control_channel, session_framing
from rserpool.element.service import PoolElementService
from rserpool.sctp.one_to_one.ports import listenSCTP
from rserpool.testing.process import Process, Surroundings

NOBODY = 80
"""The port that is registered where nobody listens."""


class ElementProcess(Process):
    """A process that serves in pools.

    @ivar service: its L{PoolElementService}.
    @ivar pools: the pools in which it serves, and whether it is registered there.
    @ivar policies: the policies that it was told to register with, by pool.
    @ivar refused: why registrations failed for good, by pool.
    """

    letter, net = "e", 1
    service: PoolElementService

    def __init__(
        self,
        scope: Surroundings,
        name: str,
        host: str,
        setup: Callable[[ElementProcess], object] | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(scope, name, host, options)
        self._setup = setup
        self.pools: dict[bytes, bool] = {}
        self.policies: dict[bytes, str] = {}
        self.pooled: list[tuple[PooledService, tuple[bytes, ...]]] = []
        self.refused: dict[bytes, Failure] = {}

    @property
    def role(self) -> PoolElement:
        return self.service.element

    def serve(
        self,
        pool: bytes | str,
        factory: Any = None,
        *,
        protocol: str = "tcp",
        port: int = 0,
        use: int | None = None,
        policy: str = "round-robin",
        **options: Any,
    ) -> UserTransport:
        """Listen, and register that in a pool.

        @param factory: a Twisted factory whose protocols serve; None to register a port on which nobody listens.
        @param protocol: C{"tcp"} or C{"sctp"}.
        @param port: the port; 0 for any.
        @param use: over SCTP the Transport Use, C{DATA_ONLY} or C{DATA_PLUS_CONTROL} (RFC 5354 section 3.4); by
            default what the factory wants: sessions want the latter.
        @param options: for L{PoolElementService.serve<rserpool.element.service.PoolElementService.serve>}.
        @return: the transport that is registered.
        """
        options.setdefault("framing", session_framing(factory, (pool,)))
        if use is None:
            use = DATA_PLUS_CONTROL if has_control_channel(factory) else DATA_ONLY
        if factory is None:
            port = port or NOBODY
        elif protocol == "tcp":
            port = self.reactor.listenTCP(port, factory).getHost().port
        else:
            port = listenSCTP(self.reactor, port, factory, stack=self.stack).getHost().port
        transport: UserTransport = (
            TcpTransport(port, self.host) if protocol == "tcp" else SctpTransport(port, use, (self.host,))
        )
        self.register(pool, transport, policy, **options)
        return transport

    def register(
        self, pool: bytes | str, transport: UserTransport, policy: str = "round-robin", **options: Any
    ) -> None:
        """Register a transport that exists already.

        @param options: for L{PoolElementService.serve<rserpool.element.service.PoolElementService.serve>}.
        """
        handle = handle_of(pool)
        self.note(f"serves in {handle_text(handle)} with {policy}")
        registered = self.service.serve(handle, transport, policy, **options)
        self.pools[handle] = False
        self.policies[handle] = policy

        def accepted(identifier: int) -> None:
            if handle in self.pools:
                self.pools[handle] = True

        def refused(failure: Failure) -> None:
            self.refused[handle] = failure

        registered.addCallbacks(accepted, refused)

    def run(self, service: IService, *pools: bytes | str, **options: Any) -> PooledService:
        """Run a Twisted service that opens a port of its C{reactor} (or C{stack}), as C{twistd rserpool-pe} does.

        @param options: for L{PooledService<rserpool.element.pooled.PooledService>}.
        @return: what runs it.
        """
        settings = {"profile": self.scope.profile, "registrars": self.scope.addresses, "hosts": (self.host,), **options}
        pooled = PooledService(self.reactor, service, pools, stack=self.stack, random=self.random, **settings)
        pooled.privilegedStartService()
        pooled.startService()
        self.pooled.append((pooled, tuple(map(handle_of, pools))))
        return pooled

    @property
    def memberships(self) -> list[tuple[bytes, int | None]]:
        """The pools in which it is to serve, and its PE identifiers there; None where it is not registered yet."""
        found = [(handle, self.identifier(handle) if done else None) for handle, done in self.pools.items()]
        for pooled, handles in self.pooled:
            for handle in handles if pooled.running else ():
                element = pooled.element
                joined = element is not None and not element.joining(handle)
                found.append((handle, self.identifier(handle) if joined else None))
        return found

    def identifier(self, pool: bytes | str) -> int:
        """Its PE identifier in a pool.

        @raise KeyError: if it does not serve there.
        """
        handle = handle_of(pool)
        for pooled, handles in self.pooled:
            if handle in handles and pooled.element is not None:
                return pooled.element.element.identifier(handle)
        return self.role.identifier(handle)

    @property
    def homes(self) -> set[str]:
        """The hosts of the registrars that it is registered with."""
        services = [self.service, *(pooled.element for pooled, _ in self.pooled if pooled.running)]
        found = [service.element.home for service in services if service is not None]
        return {home.hosts[0] for home in found if home is not None}

    def change(self, pool: bytes | str, policy: str) -> None:
        """Register again with other values of the policy."""
        self.note(f"changes to {policy}")
        self.policies[handle_of(pool)] = policy
        self.service.change(pool, policy=policy)

    def leave(self, pool: bytes | str) -> Deferred[None]:
        """Deregister."""
        self.note("leaves")
        self.pools.pop(handle_of(pool), None)
        return self.service.leave(pool)

    def _start(self) -> None:
        self.pools.clear()
        self.pooled.clear()
        self.refused.clear()
        options = {"profile": self.scope.profile, "registrars": self.scope.addresses, **self._options}
        self.service = PoolElementService(
            self.reactor, hosts=(self.host,), stack=self.stack, random=self.random, **options
        )
        self._listen()
        self.service.startService()
        self._hear()
        if self._setup is not None:
            self._setup(self)

    async def _stop(self) -> None:
        self.pools.clear()
        for pooled, _ in self.pooled:
            await pooled.stopService()
        await self.service.stopService()
