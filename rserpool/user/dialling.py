"""Reaching one element of a pool, over whatever it serves (RFC 5352 section 6.5.1, steps C and D)."""

from __future__ import annotations

# C{sctp_endpoint} needs it, when C{twistd} may have changed its root directory to one where there is nothing.
import rserpool.sctp.one_to_one.endpoints  # noqa: F401  # isort: skip

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.user.events import Resolved
from rserpool.core.user.trying import TIMEOUT, PassedOver
from rserpool.core.wire.parameters import PoolElementParameter, SctpTransport, TcpTransport
from rserpool.user.service import PoolUserService

T = TypeVar("T")


def address_of(element: PoolElementParameter) -> TransportAddress:
    """Where an element serves over SCTP or TCP.

    @raise PassedOver: if it does over neither.
    """
    match element.user_transport:
        case SctpTransport(port=port, addresses=addresses):
            return TransportAddress(addresses, port, element.encapsulation)
        case TcpTransport(port=port, address=address):
            return TransportAddress((address,), port, protocol="tcp")
        case other:
            raise PassedOver(f"it serves over {type(other).__name__.removesuffix('Transport')}, not TCP or SCTP")


def endpoint_at(user: PoolUserService, address: TransportAddress, seconds: float) -> Any:
    """The client endpoint that connects to an address, over TCP or SCTP.

    @param seconds: how long the caller will wait (L{in_time}); over TCP the endpoint itself waits a little longer.
    """
    if address.protocol != "tcp":
        return user.sctp_endpoint(address)
    # They load TLS: only who connects pays for it.
    from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint

    host = address.hosts[0]
    kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
    return kind(user.reactor, host, address.port, timeout=seconds + 1)


def spoken_with(
    user: PoolUserService, tls: str | None, tls_ca: bytes | None
) -> Callable[[IStreamClientEndpoint], IStreamClientEndpoint]:
    """What makes an endpoint at an element one that speaks with it as is wanted.

    @param tls: the name that its certificate must have; None for no TLS.
    @param tls_ca: PEM of who issues it; see L{PoolClientEndpoint<rserpool.user.endpoint.PoolClientEndpoint>}.
    @raise ConfigurationError: if something is wrong with them.
    """
    if tls is None:
        return lambda endpoint: endpoint
    # It loads OpenSSL.
    from rserpool.user.tls import TlsEndpoint, checks_of

    checks_of(user, tls, tls_ca)
    return lambda endpoint: TlsEndpoint(checks_of(user, tls, tls_ca), endpoint, tls, user.reactor)


def in_time(reactor: Any, connecting: Deferred[T], seconds: float) -> Deferred[T]:
    """Let an attempt fail with C{ConnectError} if it has no result after so many seconds."""

    def late(result: Any, seconds: float) -> Any:
        if isinstance(result, Failure) and result.check(CancelledError, ConnectingCancelledError):
            raise ConnectError(string=f"no answer within {seconds:g} s") from None
        return result

    return connecting.addTimeout(seconds, reactor, late)


class UserHands(Generic[T]):
    """What a L{PoolUserService} does for L{try_elements<rserpool.core.user.trying.try_elements>}.

    @ivar resolved: what was heard of the pool last.
    @ivar hears: whether it is told to a person anyway that a pool cannot be used.
    """

    resolved: Resolved
    hears = False

    def __init__(self, user: PoolUserService, handle: bytes, items: int | None = None) -> None:
        self.user = user
        self.handle = handle
        self._items = items
        self._first = 0

    def now(self) -> float:
        return self.user.reactor.seconds()  # type: ignore[no-any-return]

    async def resolve(self, seconds: float, fresh: bool) -> Sequence[PoolElementParameter]:
        timeout = seconds if seconds < math.inf else None
        # When all have failed they are tried again, rather than waited for.
        asked = self.user.resolve(
            self.handle, items=self._items, timeout=timeout, fresh=fresh, patience=0 if fresh else min(seconds, TIMEOUT)
        )
        self.resolved = await (asked if self.hears else self.user.in_vain.watch(asked, self.handle))
        self._first = self.resolved.first
        return self.resolved.elements

    async def attempt(self, element: PoolElementParameter, seconds: float) -> T:
        """Try an element, and count what it is given (L{PoolUserService.begin})."""
        first, self._first = self._first, 0
        use = self.user.begin(self.handle, element, first)
        try:
            reached = await self.reach(element, seconds)
        except BaseException:
            use.end()
            raise
        use.accepted(self.over(reached))
        return reached

    async def reach(self, element: PoolElementParameter, seconds: float) -> T:
        """Connect to it; see L{Hands.attempt<rserpool.core.user.trying.Hands.attempt>}."""
        raise NotImplementedError

    def over(self, reached: T) -> Callable[[], bool]:
        """What tells whether the element is done with what it was given."""
        return lambda: True

    def report(self, element: PoolElementParameter) -> None:
        self.user.report(self.handle, element.identifier)

    def pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self.user.reactor, seconds)
