"""What the kernel's SCTP and usrsctp share: one-to-many sockets and their associations (RFC 6458 section 3).

Messages come in pieces, associations have numbers, and what becomes of them is told by notifications.
"""

from __future__ import annotations

import struct
from socket import htonl
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    CannotListenError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)

from rserpool.core.addresses import TransportAddress
from rserpool.core.profiles import Profile
from rserpool.sctp.association import BufferedAssociation
from rserpool.sctp.base import MAX_MESSAGE
from rserpool.sctp.endpoint import SctpEndpoint
from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.notifications import (
    AddressChange,
    AssociationChange,
    Change,
    DeliveryAborted,
    Notification,
    PeerShutdown,
    SendFailed,
)

SNDINFO = struct.Struct("=HHIII")
"""Stream, flags, PPID in network order, context, association."""
RCVINFO = struct.Struct("=HHHxxIIIII")
"""Stream, SSN, flags, PPID in network order, TSN, cumulative TSN, context, association."""

_FIRST_FRAGMENT = 2
_LAST_FRAGMENT = 1


class SctpSocket:
    """A socket of a stack, and what this stack calls C{SCTP_UNORDERED}, C{SCTP_EOF} and C{SCTP_ABORT}."""

    UNORDERED: int
    EOF: int
    ABORT: int

    def beside(self, identifier: int, stream: int, flags: int, ppid: int) -> Any:
        """What goes beside a message."""
        return SNDINFO.pack(stream, flags, htonl(ppid), 0, identifier)

    def control(self, identifier: int, flag: int) -> bool:
        """Shut an association down, or abort it.

        @return: whether that is done, or the association gone already.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close it, unless that is done; associations that it still has are aborted."""
        raise NotImplementedError


K = TypeVar("K", bound=SctpSocket)


class SocketAssociation(BufferedAssociation, Generic[K]):
    """An association on a socket.

    @ivar socket: where it lives.
    @ivar identifier: the stack's number for it; 0 if the stack does not know it.
    """

    __slots__ = ("_fragments", "_partial", "_prepared", "_streams", "identifier", "socket")

    endpoint: SocketEndpoint[Any, K]

    def __init__(
        self, endpoint: SocketEndpoint[Any, K], socket: K, peer: TransportAddress, outbound: bool, identifier: int = 0
    ) -> None:
        super().__init__(endpoint, peer, outbound)
        self.socket = socket
        self.identifier = identifier
        self._partial: dict[int, bytearray] = {}
        self._fragments: list[bytes] = []
        self._prepared: dict[tuple[int, int, bool], Any] = {}
        self._streams = 1

    # What goes out.

    def prepare(self, key: tuple[int, int, bool]) -> Any:
        """What goes beside each message of this PPID, stream and order."""
        if len(self._prepared) > 64:
            self._prepared.clear()
        ppid, stream, unordered = key
        # A peer may have fewer streams than we ask for.
        stream = stream if stream < self._streams else 0
        flags = self.socket.UNORDERED if unordered else 0
        prepared = self._prepared[key] = self.socket.beside(self.identifier, stream, flags, ppid)
        return prepared

    def put_end(self) -> bool:
        return self.socket.control(self.identifier, self.socket.EOF)

    # What the endpoint calls.

    def set_up(self, streams: int) -> None:
        """It is established, with so many streams to send on."""
        self._streams = streams
        self.up()

    def received(self, data: bytes, ppid: int, stream: int, unordered: bool, whole: bool) -> None:
        """A message has arrived, or a part of one."""
        if self._lost:
            return
        if not whole or stream in self._partial:
            partial = self._partial.setdefault(stream, bytearray())
            partial += data
            if len(partial) > MAX_MESSAGE:
                self._too_long()
                return
            if not whole:
                return
            del self._partial[stream]
            data = bytes(partial)
        elif len(data) > MAX_MESSAGE:
            self._too_long()
            return
        try:
            self.endpoint.message_received(self, data, ppid, stream, unordered)
        except Exception:
            self.endpoint.log.failure("{handler} failed", handler=self.endpoint.message_received)

    def _too_long(self) -> None:
        self.endpoint.log.error(
            "{peer} sends a message of more than {limit} bytes: aborting", peer=self.peer, limit=MAX_MESSAGE
        )
        self.abort()

    def cut_short(self, stream: int) -> None:
        """The rest of a message will not come (partial delivery aborted)."""
        self._partial.pop(stream, None)

    def failed(self, data: bytes, ppid: int, fragment: int) -> None:
        """A message could not be delivered, or a fragment of one."""
        if self._lost:
            return
        if fragment & _FIRST_FRAGMENT:
            self._fragments.clear()
        self._fragments.append(data)
        if fragment & _LAST_FRAGMENT:
            data = b"".join(self._fragments)
            self._fragments.clear()
            self.endpoint.tell("sendFailed", self, data, ppid)

    def shut_down(self) -> None:
        """The peer shuts down: it takes no more data."""
        self._closing = self._ended = True


A = TypeVar("A", bound=SocketAssociation[Any])


class SocketEndpoint(SctpEndpoint[A], Generic[A, K]):
    """An endpoint with a one-to-many socket.

    @ivar socket: where all associations live that have no socket of their own.
    @ivar by_id: those that the stack knows, by its numbers.
    @ivar kind: the associations.
    @ivar adopted: whether a program has made the socket, and chosen its timers.
    """

    adopted = False
    socket: K
    kind: type[A]

    def __init__(self, stack: SocketStack[Any], port: int, handler: ISctpHandler, hosts: tuple[str, ...]) -> None:
        super().__init__(stack.reactor, port, handler, hosts)
        self.profile = stack.profile
        self.by_id: dict[int, A] = {}
        self._stack = stack

    def open(self, listening: bool) -> None:
        """Make the socket.

        @raise OSError: if the port is taken or an address is not local.
        """
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether the port is free again."""
        return self not in self._stack.endpoints

    def forget(self, association: A) -> bool:
        """It is aborted: no notification shall reach it any more.

        @return: whether the stack knows it.
        """
        return self.by_id.pop(association.identifier, None) is not None

    def _close(self) -> None:
        if not self.closed:
            del self._stack.endpoints[self]
            self._close_sockets()

    def _outbound(self, peer: TransportAddress) -> A:
        return self.kind(self, self.socket, peer, outbound=True)

    def notified(self, notification: Notification | None) -> None:
        """The stack tells something; what makes no sense is C{None}."""
        association = None if notification is None else self.by_id.get(notification.association)
        match notification:
            case AssociationChange():
                self._changed(association, notification)
            case SendFailed(_, data, ppid, fragment) if association is not None:
                association.failed(data, ppid, fragment)
            case AddressChange(_, host, state) if association is not None:
                self._address_changed(association, host, state)
            case PeerShutdown() if association is not None:
                association.shut_down()
            case DeliveryAborted(_, stream) if association is not None:
                association.cut_short(stream)

    def _address_changed(self, association: A, host: str, state: str) -> None:
        if state in ("available", "confirmed", "unreachable") and association.established:
            self.tell("addressChanged", association, host, state != "unreachable")

    def _changed(self, association: A | None, change: AssociationChange) -> None:
        identifier, socket = change.association, self.socket
        if change.change is Change.RESTART and association is not None:
            # The peer has begun anew (RFC 9260 section 5.2): for us the old association is gone.
            del self.by_id[identifier]
            socket, association.socket = association.socket, socket
            association.lose(ConnectionLost("the peer has restarted"))
            association = None
            if self.closed:
                socket.close()
                return
        if change.change in (Change.COMM_UP, Change.RESTART):
            if association is None:
                association = self._accepted(socket, identifier)
            if association is not None:
                association.set_up(change.streams)
        elif association is not None:
            del self.by_id[identifier]
            self._ended(association, change)

    def _accepted(self, socket: K, identifier: int) -> A | None:
        if self._closing:
            # A set-up that was under way when we stopped listening.
            socket.control(identifier, socket.ABORT)
            return None
        association = self._inbound(socket, identifier)
        if association is not None:
            self.by_id[identifier] = association
        return association

    def _reason(self, association: A, change: AssociationChange) -> Exception:
        """Why an association has ended."""
        match change.change:
            case Change.SHUTDOWN_COMP:
                return ConnectionDone()
            case Change.COMM_LOST:
                return ConnectionLost(
                    "the peer aborted" if change.aborted else "the peer does not answer, or breaks the rules"
                )
        if self._refused(association, change):
            return ConnectionRefusedError(f"nobody listens at {association.peer}")
        return TimeoutError(f"{association.peer} does not answer")

    # What a backend supplies.

    def _close_sockets(self) -> None:
        """Close the socket, and those of single associations."""
        raise NotImplementedError

    def _inbound(self, socket: K, identifier: int) -> A | None:
        """The association that a peer has opened; None if it is gone already."""
        raise NotImplementedError

    def _ended(self, association: A, change: AssociationChange) -> None:
        """The stack no longer knows it."""
        association.lose(self._reason(association, change))

    def _refused(self, association: A, change: AssociationChange) -> bool:
        """Whether nobody listens, where a set-up has failed; else nobody has answered."""
        return change.aborted


E = TypeVar("E", bound=SocketEndpoint[Any, Any])


class SocketStack(Generic[E]):
    """A stack whose endpoints have sockets.

    @ivar endpoints: those that are open.
    """

    heartbeats = 0

    def __init__(self, reactor: Any, profile: Profile, hosts: tuple[str, ...]) -> None:
        self.reactor = reactor
        self.profile = profile
        self.hosts = hosts
        self.endpoints: dict[E, None] = {}
        self._closed = False

    def _own(self, hosts: tuple[str, ...], port: int) -> tuple[str, ...]:
        """The addresses of an endpoint that is to be opened.

        @raise CannotListenError: if the stack is closed.
        """
        hosts = tuple(dict.fromkeys(hosts)) or self.hosts
        if self._closed:
            raise CannotListenError(hosts[0], port, OSError("the stack is closed"))
        return hosts

    def _opened(self, endpoint: E, listening: bool) -> E:
        """The endpoint, open.

        @raise CannotListenError: if the port is taken or an address is not local.
        """
        try:
            endpoint.open(listening)
        except OSError as error:
            raise CannotListenError(endpoint.hosts[0], endpoint.port, error) from None
        self.endpoints[endpoint] = None
        return endpoint

    def close(self) -> Deferred[None]:
        self._closed = True
        for endpoint in list(self.endpoints):
            endpoint.abort()
        # After the calls that abort() scheduled for the same instant.
        done: Deferred[None] = Deferred()
        self.reactor.callLater(0, done.callback, None)
        return done
