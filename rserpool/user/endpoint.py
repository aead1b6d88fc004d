"""A client endpoint that connects to whichever element of a pool serves (RFC 5352 sections 3.3 and 3.5, RFC 5356)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import NoElement, NoRegistrar, RSerPoolError, SctpUnavailable
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.user.resolution import Resolved
from rserpool.core.wire.parameters import DATA_ONLY, PoolElementParameter, SctpTransport, TcpTransport
from rserpool.user.drop import Connections, Drop, listed_by
from rserpool.user.service import PoolUserService
from rserpool.user.tcp import tcp_endpoint

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
TIMEOUT = 30.0
"""Seconds until C{connect} gives up, where nothing else is said."""


T = TypeVar("T")


class PassedOver(Exception):
    """An element may be alive, and cannot be used here: it is not reported, and the next one is tried."""


class _Call:
    """One call of C{connect}."""

    cancelled = False


@implementer(IStreamClientEndpoint)
class PoolClientEndpoint:
    """Connects to an element of a pool; those that fail are reported, and the next one is tried at once.

    Elements are tried in the order that the policy wants. Elements that serve over TCP or SCTP can be used, others are
    passed over. Over SCTP the factory may build an L{ISctpProtocol<rserpool.sctp.interfaces.ISctpProtocol>}, or an
    ordinary protocol, which then sees a stream of bytes.

    @param user: a L{PoolUserService} that runs (or starts itself).
    @param pool: the pool handle.
    @param timeout: seconds until C{connect} gives up.
    @param attempt: seconds that one element may take to accept; T1 of the profile by default.
    @param items: how many elements to ask the registrar for; None for all.
    @param drop: abort connections to elements that the registrar removes.
    @param spare: called with a protocol whose connection is to be aborted so: whether it is given 5 s to
        end by itself, for its element may serve it to the end.
    @param chosen: called with the L{PoolElementParameter} whenever a connection to it is up.
    @ivar element: the element that was connected to last, or None.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        *,
        timeout: float = TIMEOUT,
        attempt: float | None = None,
        items: int | None = None,
        drop: bool = False,
        spare: Callable[[Any], bool] | None = None,
        chosen: Callable[[PoolElementParameter], object] | None = None,
    ) -> None:
        self.user = user
        self.handle = handle_of(pool)
        self.element: PoolElementParameter | None = None
        self._timeout = timeout
        self._attempt_timeout = user.profile.t1_enrp_request if attempt is None else attempt
        self._items = items
        self._connections = Connections()
        self._drop = Drop(user, self.handle, self._connections, spare) if drop else None
        self._chosen = chosen

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect to an element.

        @return: see L{connect_by}.
        """
        return self.connect_by(lambda endpoint, element: endpoint.connect(protocolFactory))

    def connect_by(self, connect: Callable[[IStreamClientEndpoint, PoolElementParameter], Deferred[T]]) -> Deferred[T]:
        """Connect to an element in a way of one's own: with TLS, or by a connection that is open.

        @param connect: called with an endpoint at an element, and the element. It returns a C{Deferred} of a protocol,
            which can be cancelled. A C{ConnectError} or C{ConnectionClosed} is reported to the registrar;
            L{PassedOver} is not, and then the next element is tried, too.
        @return: a C{Deferred} that can be cancelled. It fails with L{UnknownPool<rserpool.core.errors.UnknownPool>} or
            L{NoRegistrar<rserpool.core.errors.NoRegistrar>} if there is nothing to try, and with
            L{NoElement<rserpool.core.errors.NoElement>}, which names what was tried, if nothing accepted in time.
        """
        call = _Call()

        def cancel(_: Any) -> None:
            call.cancelled = True
            running.cancel()

        connected: Deferred[T] = Deferred(cancel)
        running = ensureDeferred(self._connect(connect, call))
        running.chainDeferred(connected)
        return connected

    def element_of(self, protocol: Any) -> PoolElementParameter | None:
        """The element that serves a protocol which this endpoint connected; None if there is none.

        Where another protocol wraps it (TLS), that of its peer's address.
        """
        return self._connections.element_of(protocol)

    def report(self, failed: Any) -> None:
        """Tell the registrar that an element failed, for reasons that only the application sees (RFC 5352 3.5).

        @param failed: a protocol that this endpoint connected, or the L{PoolElementParameter}.
        @raise ValueError: if this endpoint did not connect the protocol.
        """
        element = failed if isinstance(failed, PoolElementParameter) else self.element_of(failed)
        if element is None:
            raise ValueError(f"{failed!r} was not connected by this endpoint")
        self.user.report(self.handle, element.identifier)

    def stop_watching(self) -> None:
        """Drop no connection any more that is open now, and leave no timer behind."""
        if self._drop is not None:
            self._drop.rest()

    async def _connect(
        self, connect: Callable[[IStreamClientEndpoint, PoolElementParameter], Deferred[T]], call: _Call
    ) -> T:
        deadline = self.user.reactor.seconds() + self._timeout
        pause = FIRST_PAUSE
        tried: dict[str, str] = {}
        resolved = await self.user.resolve(self.handle, items=self._items, timeout=self._timeout)
        while True:
            speakable = False
            for element in resolved.elements:
                left = deadline - self.user.reactor.seconds()
                if left <= 0:
                    break
                try:
                    protocol = await self._attempt(element, connect, min(left, self._attempt_timeout))
                except (PassedOver, SctpUnavailable) as error:
                    tried[describe(element)] = str(error)
                except (ConnectError, ConnectionClosed, OSError) as error:
                    if call.cancelled:
                        raise CancelledError() from None
                    speakable = True
                    tried[describe(element)] = str(error) or type(error).__name__
                    self._log.info("{element} failed: {error}", element=describe(element), error=error)
                    self.user.report(self.handle, element.identifier)
                else:
                    self._connected(element, protocol, resolved)
                    return protocol
            left = deadline - self.user.reactor.seconds()
            if not speakable or left <= pause:
                raise NoElement(self._nothing(tried))
            await deferLater(self.user.reactor, pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            resolved = await self._ask_again(resolved, left - pause, tried)

    async def _ask_again(self, last: Resolved, left: float, tried: dict[str, str]) -> Resolved:
        """Everybody failed: what does the registrar say now? Without an answer, the same elements are tried again."""
        patience = min(max(left, 0.0), 2 * self.user.profile.t1_enrp_request)
        try:
            return await self.user.resolve(self.handle, items=self._items, timeout=patience, fresh=True)
        except NoRegistrar:
            return last
        except RSerPoolError as error:
            # Its last element is gone, and another may come.
            if left <= 0:
                raise NoElement(self._nothing(tried)) from error
            return last

    async def _attempt(
        self,
        element: PoolElementParameter,
        connect: Callable[[IStreamClientEndpoint, PoolElementParameter], Deferred[T]],
        seconds: float,
    ) -> T:
        connecting = connect(self._endpoint(element, seconds), element)
        late = False

        def expire() -> None:
            nonlocal late
            late = True
            connecting.cancel()

        timer = self.user.reactor.callLater(seconds, expire)
        try:
            protocol = await connecting
        except (CancelledError, ConnectingCancelledError):
            if late:
                raise ConnectError(string=f"no answer within {seconds:g} s") from None
            raise CancelledError() from None
        finally:
            if timer.active():
                timer.cancel()
        return protocol

    def _endpoint(self, element: PoolElementParameter, seconds: float) -> Any:
        match element.user_transport:
            case TcpTransport(port=port, address=address):
                # Our own timer is the first.
                return tcp_endpoint(self.user.reactor, address, port, seconds + 1)
            case SctpTransport(port=port, use=use, addresses=addresses) if use == DATA_ONLY:
                return self.user.sctp_endpoint(TransportAddress(addresses, port, element.encapsulation))
            case SctpTransport():
                raise PassedOver("it wants a session (transport use DATA_PLUS_CONTROL)")
            case other:
                raise PassedOver(f"it serves over {type(other).__name__.removesuffix('Transport')}, not TCP or SCTP")

    def _connected(self, element: PoolElementParameter, protocol: Any, resolved: Resolved) -> None:
        self.element = element
        self._connections.add(element, protocol, listed_by(self.user, resolved))
        if self._drop is not None:
            self._drop.watch()
        if self._chosen is not None:
            try:
                self._chosen(element)
            except Exception:
                self._log.failure("the callback for a chosen element failed")

    def _nothing(self, tried: dict[str, str]) -> str:
        pool = handle_text(self.handle)
        reasons = "; ".join(f"{element}: {why}" for element, why in tried.items())
        return f"no element of pool {pool!r} could be used: {reasons or 'there was no time'}"


def describe(element: PoolElementParameter) -> str:
    """A pool element in a few words: its identifier, and where it serves."""
    return f"0x{element.identifier:08x} at {place(element)}"


def place(element: PoolElementParameter) -> str:
    """Where an element serves: C{tcp 127.0.0.1:80}."""
    transport = element.user_transport
    kind = type(transport).__name__.removesuffix("Transport").lower()
    hosts = ",".join(f"[{host}]" if ":" in host else host for host in transport.addresses)
    port = getattr(transport, "port", None)
    return f"{kind} {hosts}:{port}" if port is not None else kind
