"""A client endpoint that connects to whichever element of a pool serves (RFC 5352 sections 3.3 and 3.5, RFC 5356)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.user.events import Resolved
from rserpool.core.user.places import describe
from rserpool.core.user.trying import GRACE, TIMEOUT, NotAccepted, PassedOver, Trying, rules_of, try_elements
from rserpool.core.wire.parameters import DATA_ONLY, PoolElementParameter, SctpTransport
from rserpool.user.dialling import UserHands, address_of, endpoint_at, in_time, spoken_with
from rserpool.user.drop import Connections, Drop, is_open, listed_by, weak
from rserpool.user.service import PoolUserService

T = TypeVar("T")
Connect: TypeAlias = Callable[[IStreamClientEndpoint, PoolElementParameter], Deferred[T]]


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
    @param grace: with C{drop}, seconds that a connection may go on when its element has left the pool by itself, for it
        may serve it to the end. One whose element did not answer the registrar is aborted at once.
    @param spare: called with a protocol, whether its element is serving it: a connection that is to be aborted may then
        go on for so long, and up to 5 s also where the element did not answer. One that is not is no load for its
        element. By default all are, and none of the dead.
    @param chosen: called with the L{PoolElementParameter} whenever a connection to it is up.
    @param tls: speak TLS with elements: the DNS name or IP address for which the certificate of each must be, wherever
        it is. One whose certificate is another's is passed over, and not reported. Each new connection is checked anew.
    @param tls_ca: PEM of who issues these certificates; None for the C{server-ca} of what secures the user, or else for
        those that the platform believes.
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
        grace: float = GRACE,
        spare: Callable[[Any], bool] | None = None,
        chosen: Callable[[PoolElementParameter], object] | None = None,
        tls: str | None = None,
        tls_ca: bytes | None = None,
    ) -> None:
        """
        @raise ConfigurationError: if there is something wrong with C{tls} or C{tls_ca}.
        """
        self.user = user
        self.handle = handle_of(pool)
        self.element: PoolElementParameter | None = None
        self._rules = rules_of(user.profile, timeout, attempt)
        self._items = items
        self._connections = Connections()
        self._busy = spare
        self._drop = Drop(user, self.handle, self._connections, grace=grace, spare=spare) if drop else None
        self._chosen = chosen
        self._speaks = spoken_with(user, tls, tls_ca)

    def __repr__(self) -> str:
        return f"<PoolClientEndpoint to pool {handle_text(self.handle)!r}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect to an element.

        @return: see L{connect_by}.
        """
        return self.connect_by(lambda endpoint, element: endpoint.connect(protocolFactory))

    def connect_by(self, connect: Connect[T]) -> Deferred[T]:
        """Connect to an element in a way of one's own: with TLS, or by a connection that is open.

        @param connect: called with an endpoint at an element, and the element. It returns a C{Deferred} of a protocol,
            which can be cancelled. A C{ConnectError} or C{ConnectionClosed} is reported to the registrar;
            L{PassedOver} is not, and then the next element is tried, too.
        @return: a C{Deferred} that can be cancelled. It fails with L{UnknownPool<rserpool.core.errors.UnknownPool>} or
            L{NoRegistrar<rserpool.core.errors.NoRegistrar>} if there is nothing to try, and with
            L{NoElement<rserpool.core.errors.NoElement>}, which names what was tried, if nothing accepted in time.
        """
        hands = _Hands(self.user, self.handle, self._items, connect, self._busy, self._at)
        at_once = hands.at_once(min(self._rules.timeout, self._rules.attempt))
        if at_once is not None:
            element, reached = at_once
            self._connected(element, reached, hands.resolved)
            return succeed(reached)

        def cancel(_: Any) -> None:
            hands.cancelled = True
            running.cancel()

        connected: Deferred[T] = Deferred(cancel)
        running = ensureDeferred(self._connect(hands))
        running.chainDeferred(connected)
        return connected

    @property
    def connected(self) -> bool:
        """Whether a connection that it made is open."""
        return self._connections.any_open

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

    async def _connect(self, hands: _Hands[T]) -> T:
        trying = Trying(self.handle, self._rules, hands.now())
        if hands.begun is not None:
            trying.resolved(hands.resolved.elements)
        protocol = await try_elements(trying, hands)
        assert trying.element is not None
        self._connected(trying.element, protocol, hands.resolved)
        return protocol

    def _at(self, address: TransportAddress, seconds: float) -> IStreamClientEndpoint:
        """What connects to an element at an address.

        @param seconds: so long will be waited for it.
        """
        return self._speaks(endpoint_at(self.user, address, seconds))

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


class _Hands(UserHands[T]):
    """Those of one call of C{connect}.

    @ivar begun: the first attempt, where it began at once.
    """

    def __init__(
        self,
        user: PoolUserService,
        handle: bytes,
        items: int | None,
        connect: Connect[T],
        busy: Callable[[Any], bool] | None,
        at: Callable[[TransportAddress, float], IStreamClientEndpoint],
    ) -> None:
        super().__init__(user, handle, items)
        self._at = at
        self.begun: Deferred[T] | None = None
        self.cancelled = False
        self._connect = connect
        self._busy = busy

    def at_once(self, seconds: float) -> tuple[PoolElementParameter, T] | None:
        """An element, and what connects with it: where it is known who comes first, and nothing has to be waited for.

        Else C{attempt} goes on with what has C{begun}.
        """
        user = self.user
        resolved = user.recall(self.handle, self._items) if user.home is not None and seconds > 0 else None
        if resolved is None or not resolved.elements:
            return None
        self.resolved, self._first = resolved, resolved.first
        element = resolved.elements[0]
        try:
            self.begun = connecting = self._dial(element, seconds)
        except Exception:
            self.begun = fail()
            return None
        if not connecting.called:
            return None
        reached: list[T] = []

        def keep(result: T) -> T:
            reached.append(result)
            return result

        connecting.addCallback(keep)
        if not reached:
            return None
        user.begin(self.handle, element, self._first).accepted(self.over(reached[0]))
        return element, reached[0]

    def _dial(self, element: PoolElementParameter, seconds: float) -> Deferred[T]:
        transport = element.user_transport
        if isinstance(transport, SctpTransport) and transport.use != DATA_ONLY:
            raise PassedOver("it wants a session (transport use DATA_PLUS_CONTROL)")
        return self._connect(self._at(address_of(element), seconds), element)

    async def reach(self, element: PoolElementParameter, seconds: float) -> T:
        begun, self.begun = self.begun, None
        try:
            return await in_time(self.user.reactor, begun or self._dial(element, seconds), seconds)
        except ConnectingCancelledError:
            raise CancelledError() from None
        except (ConnectError, ConnectionClosed, OSError) as error:
            if self.cancelled:
                raise CancelledError() from None
            PoolClientEndpoint._log.info("{element} failed: {error}", element=describe(element), error=error)
            raise NotAccepted(str(error) or type(error).__name__) from error

    def over(self, reached: T) -> Callable[[], bool]:
        """Whether the connection is; a kept one that is idle is, too."""
        # A kept HTTP connection comes in a wrapper that lasts for one call.
        protocol = weak(getattr(reached, "_clientProtocol", reached))
        busy = self._busy

        def over() -> bool:
            there = protocol()
            return (
                there is None
                or not is_open(getattr(there, "transport", None))
                or (busy is not None and not busy(there))
            )

        return over
