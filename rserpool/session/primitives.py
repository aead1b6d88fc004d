"""Single messages to pools, elements and addresses: data_send_request and what belongs to it (RFC 5352 section 6.5).

A L{Sender} is for those who want no session: each message is for an element of its own, chosen by the policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import NoElement, RSerPoolError
from rserpool.core.handles import handle_of
from rserpool.core.user.places import describe
from rserpool.core.user.trying import NotAccepted, PassedOver, Rules, Trying, Words, try_elements
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.lines import AssociationLine, Line, Message, Peer, PoolElementHandle, StreamLine
from rserpool.user.dialling import UserHands, address_of, endpoint_at, in_time
from rserpool.user.service import PoolUserService

if TYPE_CHECKING:
    # Who is an element has loaded it.
    from rserpool.element.service import PoolElementService

ATTEMPTS = 3
"""A message that so many elements broke over goes to no other: it may be what breaks them."""

Destination: TypeAlias = bytes | str | PoolElementHandle | TransportAddress
"""Whom a message is for: a pool by its handle, an element, or a transport address."""


class Sender:
    """Sends messages, and hands on those that come back over the same associations and connections.

    Over SCTP a message arrives whole; over TCP it is a piece of a stream of bytes. Associations stay open until
    L{close}, or until the peer ends them.

    @param user: a pool user that runs.
    @param received: called with each message (C{bytes}) and its L{Peer} (section 6.6, Data.Received).
    @param undelivered: called with the L{Peer}, the message, and the error, when a message that was sent already turns
        out not to have been delivered, and is not sent again (section 6.7, Error.Report). TCP cannot tell.
    @param failover: whether messages to a pool or to an element go to another element of the pool if they cannot be
        delivered (ASAP_SEND_FAILOVER; section 6.5.5: as well as can be); without it that is an error
        (ASAP_SEND_NO_FAILOVER).
    @param own: ourselves, if we are an element: L{send_to_all} leaves us out.
    @param ppid: the SCTP payload protocol identifier of messages.
    @param attempt: seconds that one element may take to accept; T1 of the profile by default.
    @ivar closed: whether it sends no more.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        *,
        received: Callable[[bytes, Peer], object] | None = None,
        undelivered: Callable[[Peer, bytes, Exception], object] | None = None,
        failover: bool = True,
        own: PoolElementService | None = None,
        ppid: int = 0,
        attempt: float | None = None,
    ) -> None:
        self._user = user
        self.received = received
        self.undelivered = undelivered
        self._failover = failover
        self._own = own
        self._ppid = ppid
        self._attempt = user.profile.t1_enrp_request if attempt is None else attempt
        self._lines: dict[TransportAddress, Line] = {}
        self._connecting: dict[TransportAddress, Deferred[Any]] = {}
        self._awaited: dict[TransportAddress, list[Deferred[Line]]] = {}
        self._last: dict[bytes, PoolElementParameter] = {}
        self.closed = False

    def last(self, pool: bytes | str) -> PoolElementHandle | None:
        """The element to which the last message to this pool went; None if there was none."""
        handle = handle_of(pool)
        element = self._last.get(handle)
        return None if element is None else PoolElementHandle(handle, element)

    def send(
        self,
        destination: Destination,
        data: bytes,
        *,
        failover: bool | None = None,
        unordered: bool = False,
        stream: int = 0,
        ppid: int | None = None,
    ) -> Deferred[Peer]:
        """Send a message (sections 6.5.1, 6.5.3, 6.5.4).

        To a pool: to the element that the policy chooses for this message. To an element: to just that one first. To a
        L{TransportAddress}: there, past all of RSerPool; nothing is reported, and nobody else is tried.

        @param failover: as for the L{Sender}, for this message.
        @param unordered: ASAP_SCTP_UNORDER; over TCP nothing else than order can be had.
        @param stream: the SCTP stream.
        @param ppid: the SCTP payload protocol identifier; that of the L{Sender} by default.
        @return: a C{Deferred} of whom it was sent to, at last. It fails with
            L{UnknownPool<rserpool.core.errors.UnknownPool>}, L{NoRegistrar<rserpool.core.errors.NoRegistrar>} or
            L{NoElement<rserpool.core.errors.NoElement>}, and for a transport address with a C{ConnectError}; with
            C{ValueError} if the transport cannot send such a message.
        """
        again = self._failover if failover is None else failover
        message = Message(data, self._ppid if ppid is None else ppid, stream, unordered, again)
        match destination:
            case TransportAddress():
                return ensureDeferred(self._send_to_address(destination, message))
            case PoolElementHandle(pool=handle, element=element):
                if self._user.known(handle) is None:
                    # 6.5.3 B: the cache is filled meanwhile.
                    self._user.resolve(handle).addErrback(lambda failure: None)
                return ensureDeferred(self._send(handle, message, element))
            case _:
                return ensureDeferred(self._send(handle_of(destination), message, None))

    def send_to_last(self, pool: bytes | str, data: bytes, **options: Any) -> Deferred[Peer]:
        """Send a message to the element to which the last one to this pool went (ASAP_SEND_TO_LAST), if there is one.

        @param options: as for L{send}.
        """
        return self.send(self.last(pool) or pool, data, **options)

    def send_to_all(
        self, pool: bytes | str, data: bytes, *, to_self: bool = False, **options: Any
    ) -> Deferred[tuple[PoolElementHandle, ...]]:
        """Send a copy to each element of a pool (ASAP_SEND_TO_ALL) that the registrar names.

        @param to_self: to us too, if we are one of them (ASAP_SEND_TO_SELF).
        @param options: as for L{send}, but for C{failover}.
        @return: a C{Deferred} of those to whom it was sent; those who could not be reached are reported. It fails with
            L{UnknownPool<rserpool.core.errors.UnknownPool>}, L{NoRegistrar<rserpool.core.errors.NoRegistrar>}, or with
            L{NoElement<rserpool.core.errors.NoElement>} if nobody could be reached.
        """
        return ensureDeferred(self._send_to_all(handle_of(pool), data, to_self, options))

    async def close(self) -> None:
        """Deliver what was sent, and close all associations and connections."""
        self.closed = True
        for connecting in list(self._connecting.values()):
            connecting.cancel()
        for line in list(self._lines.values()):
            line.transport.loseConnection()

    # Parts

    async def _send(self, handle: bytes, message: Message, first: PoolElementParameter | None) -> Peer:
        rules = Rules(timeout=math.inf, pauses=None, attempts=math.inf if message.again else 1)
        hands = _Hands(self, self._user, handle, message)
        peer = await try_elements(Trying(handle, rules, hands.now(), words=_WORDS, first=first), hands)
        if peer.element is not first:
            self._last[handle] = peer.element
        return peer

    async def _send_to_address(self, address: TransportAddress, message: Message) -> Peer:
        line = await self.line(address, address)
        line.say(message)
        return address

    async def _send_to_all(
        self, handle: bytes, data: bytes, to_self: bool, options: dict[str, Any]
    ) -> tuple[PoolElementHandle, ...]:
        resolved = await self._user.resolve(handle)
        wanted = [element for element in resolved.elements if to_self or not self._is_own(handle, element)]
        sending = [
            self.send(PoolElementHandle(handle, element), data, **{**options, "failover": False}) for element in wanted
        ]
        reached: list[PoolElementHandle] = []
        failures: list[str] = []
        for element, sent in zip(wanted, sending, strict=True):
            try:
                await sent
            except NoElement as error:
                failures.append(str(error))
            else:
                reached.append(PoolElementHandle(handle, element))
        if wanted and not reached:
            raise NoElement("; ".join(failures))
        return tuple(reached)

    async def line(self, address: TransportAddress, peer: Peer) -> Line:
        """The association or connection with this address; a new one if there is none."""
        line = self._lines.get(address)
        if line is not None:
            line.peer = peer if isinstance(peer, PoolElementHandle) else line.peer
            return line
        if self.closed:
            raise ConnectError(string="the sender is closed")
        waiting: Deferred[Line] = Deferred()
        self._awaited.setdefault(address, []).append(waiting)
        if address not in self._connecting:
            self._connect(address, peer)
        return await waiting

    def _connect(self, address: TransportAddress, peer: Peer) -> None:
        new: type[Line] = StreamLine if address.protocol == "tcp" else AssociationLine
        factory: Any = Factory.forProtocol(lambda: new(self, address, peer))
        factory.noisy = False
        connecting = endpoint_at(self._user, address, self._attempt).connect(factory)
        self._connecting[address] = in_time(self._user.reactor, connecting, self._attempt)

        def done(result: Any) -> None:
            self._connecting.pop(address, None)
            for waiting in self._awaited.pop(address, []):
                if not isinstance(result, Failure):
                    waiting.callback(result)
                elif result.check(CancelledError, ConnectingCancelledError):
                    waiting.errback(ConnectError(string="the sender is closed"))
                else:
                    waiting.errback(result)

        connecting.addBoth(done)

    def _is_own(self, handle: bytes, element: PoolElementParameter) -> bool:
        own = self._own.element if self._own is not None else None
        return own is not None and handle in own.pools and own.identifier(handle) == element.identifier

    # What lines tell

    def up(self, line: Line) -> None:
        """It can be used."""
        self._lines[line.address] = line

    def came(self, line: Line, data: bytes) -> None:
        """A message came."""
        if self.received is not None:
            try:
                self.received(data, line.peer)
            except Exception:
                self._log.failure("the receiver of messages from {peer!r} failed", peer=line.peer)

    def failed(self, line: Line, message: Message) -> None:
        """A message was perhaps not delivered."""
        peer = line.peer
        if isinstance(peer, TransportAddress):
            self._report(peer, message.data, ConnectError(string=f"{peer} is gone"))
            return
        self._user.report(peer.pool, peer.element.identifier)
        message = replace(message, broke=message.broke + 1)
        if not message.again or self.closed or message.broke >= ATTEMPTS:
            gone = {describe(peer.element): "it is gone"}
            self._report(peer, message.data, NoElement(_WORDS.sentence(peer.pool, gone)))
            return

        def given_up(failure: Failure) -> None:
            failure.trap(RSerPoolError)
            self._report(peer, message.data, failure.value)  # type: ignore[arg-type]

        ensureDeferred(self._send(peer.pool, message, None)).addErrback(given_up)

    def gone(self, line: Line) -> None:
        """It cannot be used any more."""
        if self._lines.get(line.address) is line:
            del self._lines[line.address]

    def _report(self, peer: Peer, data: bytes, error: Exception) -> None:
        if self.undelivered is not None:
            self.undelivered(peer, data, error)
        else:
            self._log.warn("a message of {size} bytes was not delivered: {error}", size=len(data), error=error)


_WORDS = Words(nothing="it has none that is left")


class _Hands(UserHands[PoolElementHandle]):
    """Those of one message."""

    def __init__(self, sender: Sender, user: PoolUserService, handle: bytes, message: Message) -> None:
        super().__init__(user, handle)
        self._sender = sender
        self._message = message

    async def reach(self, element: PoolElementParameter, seconds: float) -> PoolElementHandle:
        peer = PoolElementHandle(self.handle, element)
        try:
            address = address_of(element)
        except PassedOver:
            raise PassedOver("neither TCP nor SCTP") from None
        try:
            line = await self._sender.line(address, peer)
        except (ConnectError, ConnectionClosed, OSError) as error:
            if self._sender.closed:
                raise NoElement("the sender is closed") from None
            raise NotAccepted(str(error) or type(error).__name__) from error
        line.say(self._message)
        return peer
