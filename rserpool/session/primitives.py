"""Single messages to pools, elements and addresses: data_send_request and what belongs to it (RFC 5352 section 6.5).

A L{Sender} is for those who want no session: each message is for an element of its own, chosen by the policy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionClosed
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import NoElement, RSerPoolError, SctpUnavailable
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.user.places import describe
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.element.service import PoolElementService
from rserpool.session.lines import Association, Line, Message, Peer, PoolElementHandle, Stream, address_of
from rserpool.user.service import PoolUserService
from rserpool.user.tcp import tcp_endpoint

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
        self._closed = False

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
        self._closed = True
        for connecting in list(self._connecting.values()):
            connecting.cancel()
        for line in list(self._lines.values()):
            line.transport.loseConnection()

    # Parts

    async def _send(self, handle: bytes, message: Message, first: PoolElementParameter | None) -> Peer:
        tried: list[str] = []
        if first is not None:
            if await self._try(handle, first, message, tried):
                return PoolElementHandle(handle, first)
            if not message.again:
                raise self._nobody(handle, tried)
        resolved = await self._user.resolve(handle)
        for element in resolved.elements:
            if first is not None and element.identifier == first.identifier:
                continue
            if await self._try(handle, element, message, tried):
                self._last[handle] = element
                return PoolElementHandle(handle, element)
            if not message.again:
                break
        raise self._nobody(handle, tried)

    async def _send_to_address(self, address: TransportAddress, message: Message) -> Peer:
        line = await self._line(address, address)
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

    async def _try(self, handle: bytes, element: PoolElementParameter, message: Message, tried: list[str]) -> bool:
        """Whether the message was sent to this element."""
        address = address_of(element)
        if address is None:
            tried.append(f"{describe(element)}: neither TCP nor SCTP")
            return False
        try:
            line = await self._line(address, PoolElementHandle(handle, element))
        except SctpUnavailable as error:
            tried.append(f"{describe(element)}: {error}")
            return False
        except (ConnectError, ConnectionClosed, OSError) as error:
            if self._closed:
                raise NoElement("the sender is closed") from None
            tried.append(f"{describe(element)}: {str(error) or type(error).__name__}")
            # 6.9, 3.5
            self._user.report(handle, element.identifier)
            return False
        line.say(message)
        return True

    async def _line(self, address: TransportAddress, peer: Peer) -> Line:
        """The association or connection with this address; a new one if there is none."""
        line = self._lines.get(address)
        if line is not None:
            line.peer = peer if isinstance(peer, PoolElementHandle) else line.peer
            return line
        if self._closed:
            raise ConnectError(string="the sender is closed")
        waiting: Deferred[Line] = Deferred()
        self._awaited.setdefault(address, []).append(waiting)
        if address not in self._connecting:
            self._connect(address, peer)
        return await waiting

    def _connect(self, address: TransportAddress, peer: Peer) -> None:
        endpoint: Any
        new: type[Line]
        if address.protocol == "tcp":
            new = Stream
            endpoint = tcp_endpoint(self._user.reactor, address.hosts[0], address.port, self._attempt + 1)
        else:
            new, endpoint = Association, self._user.sctp_endpoint(address)
        factory: Any = Factory.forProtocol(lambda: new(self, address, peer))
        factory.noisy = False
        connecting = self._connecting[address] = endpoint.connect(factory)
        timer = self._user.reactor.callLater(self._attempt, connecting.cancel)

        def done(result: Any) -> None:
            if timer.active():
                timer.cancel()
            self._connecting.pop(address, None)
            for waiting in self._awaited.pop(address, []):
                if not isinstance(result, Failure):
                    waiting.callback(result)
                elif result.check(CancelledError, ConnectingCancelledError):
                    waiting.errback(ConnectError(string=f"no answer within {self._attempt:g} s"))
                else:
                    waiting.errback(result)

        connecting.addBoth(done)

    def _is_own(self, handle: bytes, element: PoolElementParameter) -> bool:
        own = self._own.element if self._own is not None else None
        return own is not None and handle in own.pools and own.identifier(handle) == element.identifier

    def _nobody(self, handle: bytes, tried: list[str]) -> NoElement:
        reasons = "; ".join(tried) or "it has none that is left"
        return NoElement(f"no element of pool {handle_text(handle)!r} could be used: {reasons}")

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
        if not message.again or self._closed:
            self._report(peer, message.data, self._nobody(peer.pool, [f"{describe(peer.element)}: it is gone"]))
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
