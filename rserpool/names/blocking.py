"""Pools for programs without a reactor: C{getaddrinfo} and C{create_connection}, which block, from any thread.

In a thread that runs a reactor or an event loop, use L{rserpool.names.hostnames} or L{rserpool.names.aio}.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import TypeVar
from weakref import ref

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import RSerPoolError
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.profiles import profile as profile_named
from rserpool.core.user.events import Resolved
from rserpool.core.user.places import serves_at
from rserpool.core.user.trying import TIMEOUT, Hands, Trying, try_elements
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.asking import Asker
from rserpool.names.checking import check_name, why_not
from rserpool.names.errors import name_errors
from rserpool.names.over_tcp import over_tcp, trying, where
from rserpool.names.tuples import AddressInfo, address_infos
from rserpool.node.candidates import registrars_from
from rserpool.node.securing import SecurityOption, secured_from

T = TypeVar("T")


class Resolver:
    """Resolves pools by asking registrars over TCP, in a thread of its own; may be used by any number of threads.

    @param registrars: where registrars serve ASAP over TCP, each C{HOST:PORT}; by default port 3863 of this host.
    @param profile: the timers: C{fast}, C{default} or C{rfc}.
    @param security: what secures it: a directory, for example; by default what the environment says.
    @raise ConfigurationError: if one of these is wrong.
    """

    def __init__(
        self, registrars: Sequence[str] = (), profile: str = "default", security: SecurityOption = None
    ) -> None:
        secured = secured_from(security, shared=False)
        self.asker = Asker(registrars_from(registrars, "tcp"), profile_named(profile), secured)

    def resolve(
        self, pool: bytes | str, *, timeout: float | None = None, fresh: bool = False, patience: float = 0.0
    ) -> Resolved:
        """The elements of a pool in the order in which to try them (RFC 5352 section 3.3).

        @param timeout: seconds until it fails; by default 5, or what the profile's requests may take.
        @param fresh: do not accept what was heard before.
        @param patience: seconds to wait for a pool that is unknown (for one that was never known 5 at most).
        @raise PoolNameError: if there are none; see L{rserpool.names.errors}.
        """
        with name_errors():
            future = self.asker.resolve(handle_of(pool), timeout=timeout, fresh=fresh, patience=patience)
            try:
                return future.result()
            finally:
                # Whoever was interrupted waits no more.
                future.cancel()

    def getaddrinfo(
        self,
        pool: bytes | str,
        port: object = None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
        *,
        timeout: float | None = None,
    ) -> list[AddressInfo]:
        """As C{socket.getaddrinfo}, with the addresses of a pool's elements in the order of its policy.

        @param port: not looked at: every element has a port of its own.
        @param timeout: seconds until it fails.
        @return: C{(family, type, proto, canonname, sockaddr)} of each; see
            L{address_infos<rserpool.names.tuples.address_infos>} for C{family} and the others.
        @raise PoolNameError: a C{socket.gaierror}, with a sentence; see L{rserpool.names.errors}.
        """
        patience = self.asker.default_timeout if timeout is None else timeout
        elements = self.resolve(pool, timeout=timeout, patience=patience).elements
        return address_infos(handle_text(handle_of(pool)), elements, family=family, type=type, proto=proto, flags=flags)

    def create_connection(
        self,
        pool: bytes | str,
        timeout: float = TIMEOUT,
        *,
        attempt: float | None = None,
        ssl: SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> socket.socket:
        """As C{socket.create_connection}: connect over TCP to an element; those that fail are reported, and the next
        one is tried.

        @param timeout: seconds until it gives up; the socket itself has no timeout.
        @param attempt: seconds that one element may take to accept, with TLS; T1 of the profile by default.
        @param ssl: speak TLS by this context; what comes is an C{ssl.SSLSocket}.
        @param server_hostname: with C{ssl}, the name for which the certificate of each element must be. Who has another
            one is passed over, and not reported.
        @raise PoolNameError: if there is nothing to try.
        @raise NothingAccepts: if nothing accepted in time.
        @raise ValueError: if one of C{ssl} and C{server_hostname} comes without the other.
        """
        check_name(ssl, server_hostname)
        handle = handle_of(pool)
        hands = _Hands(self, handle, ssl, server_hostname)
        return try_blocking(trying(handle, self.asker.profile, timeout, attempt, hands.now()), hands)

    def report(self, pool: bytes | str, sockaddr: tuple[object, ...]) -> None:
        """Tell the registrar that the element at this address does not serve (RFC 5352 section 3.5).

        @param sockaddr: as L{getaddrinfo} returned it; nothing happens if it is no element's.
        """
        handle = handle_of(pool)
        try:
            elements = self.resolve(handle).elements
        except RSerPoolError:
            return
        for element in elements:
            if serves_at(element, *sockaddr[:2]):
                self.asker.report(handle, element.identifier)


class BlockingHands:
    """What a thread does for L{try_elements}; it blocks in all of it."""

    def __init__(self, resolver: Resolver, pool: bytes) -> None:
        self._resolver = resolver
        self._pool = pool
        self._first = 0

    def now(self) -> float:
        """See L{Hands<rserpool.core.user.trying.Hands>}, as for the others."""
        return time.monotonic()

    async def resolve(self, seconds: float, fresh: bool) -> list[PoolElementParameter]:
        timeout, patience = min(seconds, self._resolver.asker.default_timeout), 0 if fresh else seconds
        resolved = self._resolver.resolve(self._pool, timeout=timeout, fresh=fresh, patience=patience)
        self._first = resolved.first
        return over_tcp(self._pool, resolved.elements)

    def accepted(self, element: PoolElementParameter, over: Callable[[], bool]) -> None:
        """An element has accepted, and serves until C{over()}."""
        first, self._first = self._first, 0
        self._resolver.asker.begin(self._pool, element, first).accepted(over)

    def report(self, element: PoolElementParameter) -> None:
        self._resolver.asker.report(self._pool, element.identifier)

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)


def try_blocking(search: Trying, hands: Hands[T]) -> T:
    """L{try_elements}, by hands that block."""
    try:
        try_elements(search, hands).send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("a coroutine whose hands block does not wait")


class _Hands(BlockingHands):
    """Those of one connect."""

    def __init__(
        self, resolver: Resolver, pool: bytes, context: SSLContext | None, server_hostname: str | None
    ) -> None:
        super().__init__(resolver, pool)
        self._context = context
        self._name = server_hostname

    async def attempt(self, element: PoolElementParameter, seconds: float) -> socket.socket:
        try:
            connection = socket.create_connection(where(element), seconds)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_hostname=self._name)
        except OSError as error:
            raise why_not(error, seconds) from None
        connection.settimeout(None)
        self.accepted(element, _closed(connection))
        return connection


def _closed(connection: socket.socket) -> Callable[[], bool]:
    there = ref(connection)

    def closed() -> bool:
        connection = there()
        return connection is None or connection.fileno() < 0

    return closed


_resolvers: dict[tuple[tuple[TransportAddress, ...], str, str | None], Resolver] = {}
_lock = threading.Lock()


def resolver(registrars: Sequence[str] = (), profile: str = "default", security: str | None = None) -> Resolver:
    """The one resolver of this process for these registrars and timers, secured by this.

    @raise ConfigurationError: if one of these is wrong.
    """
    key = (registrars_from(registrars, "tcp"), profile, security)
    with _lock:
        found = _resolvers.get(key)
        if found is None:
            found = _resolvers[key] = Resolver(registrars, profile, security)
        return found


def getaddrinfo(
    pool: bytes | str,
    port: object = None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
    *,
    registrars: Sequence[str] = (),
    profile: str = "default",
    security: str | None = None,
    timeout: float | None = None,
) -> list[AddressInfo]:
    """L{Resolver.getaddrinfo} of the one resolver for these registrars and timers."""
    asked = resolver(registrars, profile, security)
    return asked.getaddrinfo(pool, port, family, type, proto, flags, timeout=timeout)


def create_connection(
    pool: bytes | str,
    timeout: float = TIMEOUT,
    *,
    registrars: Sequence[str] = (),
    profile: str = "default",
    security: str | None = None,
    attempt: float | None = None,
    ssl: SSLContext | None = None,
    server_hostname: str | None = None,
) -> socket.socket:
    """L{Resolver.create_connection} of the one resolver for these registrars and timers."""
    asked = resolver(registrars, profile, security)
    return asked.create_connection(pool, timeout, attempt=attempt, ssl=ssl, server_hostname=server_hostname)
