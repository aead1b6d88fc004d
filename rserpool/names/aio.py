"""Pools for asyncio: C{getaddrinfo} and C{open_connection}, with any event loop.

Beside Twisted's asyncio reactor a L{PoolUserService} may be given, which asks registrars over SCTP, too; without one, a
thread asks them over TCP (L{rserpool.names.asking}).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

from rserpool.core.handles import handle_of, handle_text
from rserpool.core.user.events import Resolved
from rserpool.core.user.trying import TIMEOUT, try_elements
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.blocking import resolver
from rserpool.names.checking import check_name, why_not
from rserpool.names.errors import name_errors
from rserpool.names.over_tcp import over_tcp, trying, where
from rserpool.names.tuples import AddressInfo, address_infos
from rserpool.user.service import PoolUserService

__all__ = ["Pools", "getaddrinfo", "open_connection"]


class Pools:
    """The pools of some registrars, for coroutines of asyncio.

    @param user: a L{PoolUserService} that runs on Twisted's asyncio reactor, in the same event loop; C{None} for none.
    @param registrars: without a user, where registrars serve ASAP over TCP, each C{HOST:PORT}; by default port 3863 of
        this host.
    @param profile: without a user, the timers.
    @param security: without a user, what secures it: a directory, for example; by default what the environment says.
    @raise ConfigurationError: if one of these is wrong.
    """

    def __init__(
        self,
        user: PoolUserService | None = None,
        *,
        registrars: Sequence[str] = (),
        profile: str = "default",
        security: str | None = None,
    ) -> None:
        self.source: Any = resolver(registrars, profile, security).asker if user is None else user
        self._user = user

    def resolve(
        self, pool: bytes | str, *, timeout: float | None = None, fresh: bool = False, patience: float = 0.0
    ) -> asyncio.Future[Resolved]:
        """The elements of a pool in the order in which to try them (RFC 5352 section 3.3).

        @param timeout: seconds until it fails.
        @param fresh: do not accept what was heard before.
        @param patience: seconds to wait for a pool that is unknown (for one that was never known 5 at most).
        @return: an C{asyncio.Future}; it fails with L{UnknownPool}, L{NoRegistrar} or another L{RSerPoolError}.
        """
        handle = handle_of(pool)
        asked = self.source.resolve(handle, timeout=timeout, fresh=fresh, patience=patience)
        if self._user is None:
            return asyncio.wrap_future(asked)
        self._user.in_vain.watch(asked, handle, loudly=False)
        return asked.asFuture(asyncio.get_running_loop())  # type: ignore[no-any-return]

    async def getaddrinfo(
        self,
        pool: bytes | str,
        port: object = None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
        timeout: float | None = None,
    ) -> list[AddressInfo]:
        """As C{loop.getaddrinfo}, with the addresses of a pool's elements in the order of its policy.

        The parameters, what it returns and what it raises: see
        L{Resolver.getaddrinfo<rserpool.names.blocking.Resolver.getaddrinfo>}.
        """
        patience = self.source.default_timeout if timeout is None else timeout
        with name_errors():
            resolved = await self.resolve(pool, timeout=timeout, patience=patience)
        name = handle_text(handle_of(pool))
        return address_infos(name, resolved.elements, family=family, type=type, proto=proto, flags=flags)

    async def open_connection(
        self, pool: bytes | str, *, timeout: float = TIMEOUT, attempt: float | None = None, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As C{asyncio.open_connection}: connect over TCP to an element; those that fail are reported, and the next
        one is tried.

        @param timeout: seconds until it gives up.
        @param attempt: seconds that one element may take to accept; T1 of the profile by default.
        @param options: what C{asyncio.open_connection} takes: C{limit}, or C{ssl} (an C{ssl.SSLContext}) and with it
            C{server_hostname}, the name for which the certificate of each element must be. Who has another one is
            passed over, and not reported.
        @raise ValueError: if C{ssl} comes without C{server_hostname}.
        @raise PoolNameError: if there is nothing to try.
        @raise NothingAccepts: if nothing accepted in time.
        """
        check_name(options.get("ssl"), options.get("server_hostname"))
        handle = handle_of(pool)
        hands = _Hands(self, handle, options)
        return await try_elements(trying(handle, self.source.profile, timeout, attempt, hands.now()), hands)


class LoopHands:
    """What an event loop does for L{try_elements}."""

    def __init__(self, pools: Pools, pool: bytes) -> None:
        self._pools = pools
        self._source = pools.source
        self._pool = pool
        self._first = 0
        self.now = asyncio.get_running_loop().time

    async def resolve(self, seconds: float, fresh: bool) -> list[PoolElementParameter]:
        timeout, patience = min(seconds, self._source.default_timeout), 0 if fresh else seconds
        with name_errors():
            resolved = await self._pools.resolve(self._pool, timeout=timeout, fresh=fresh, patience=patience)
        self._first = resolved.first
        return over_tcp(self._pool, resolved.elements)

    def accepted(self, element: PoolElementParameter, over: Callable[[], bool]) -> None:
        """An element has accepted, and serves until C{over()}."""
        first, self._first = self._first, 0
        self._source.begin(self._pool, element, first).accepted(over)

    def report(self, element: PoolElementParameter) -> None:
        self._source.report(self._pool, element.identifier)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Hands(LoopHands):
    """Those of one connect."""

    def __init__(self, pools: Pools, pool: bytes, options: dict[str, Any]) -> None:
        super().__init__(pools, pool)
        self._options = options

    async def attempt(
        self, element: PoolElementParameter, seconds: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            streams = await asyncio.wait_for(asyncio.open_connection(*where(element), **self._options), seconds)
        except OSError as error:
            raise why_not(error, seconds) from None
        self.accepted(element, _closing(streams[1]))
        return streams


def _closing(writer: asyncio.StreamWriter) -> Callable[[], bool]:
    there = ref(writer)

    def closing() -> bool:
        writer = there()
        return writer is None or writer.is_closing()

    return closing


async def getaddrinfo(
    pool: bytes | str,
    port: object = None,
    *,
    registrars: Sequence[str] = (),
    profile: str = "default",
    security: str | None = None,
    **options: Any,
) -> list[AddressInfo]:
    """L{Pools.getaddrinfo} without a L{PoolUserService}."""
    pools = Pools(registrars=registrars, profile=profile, security=security)
    return await pools.getaddrinfo(pool, port, **options)


async def open_connection(
    pool: bytes | str,
    *,
    registrars: Sequence[str] = (),
    profile: str = "default",
    security: str | None = None,
    **options: Any,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """L{Pools.open_connection} without a L{PoolUserService}."""
    pools = Pools(registrars=registrars, profile=profile, security=security)
    return await pools.open_connection(pool, **options)
