"""An endpoint's handler that gives each association a protocol of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.sctp.base import SctpHandler
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpProtocol, ISctpStack
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.one_to_one.bytestream import ByteStream
from rserpool.sctp.one_to_one.transport import AssociationTransport, SctpAddress
from rserpool.sctp.outgoing import Outgoing
from rserpool.sctp.stack import open_stack


class OneToOne(SctpHandler):
    """Gives each association of an endpoint a protocol.

    @ivar endpoint: the endpoint whose handler this is.
    @ivar local: its address.
    @ivar guests: those that others opened; None lets anybody in.
    @ivar made: called with each protocol once it has its transport.
    """

    endpoint: ISctpEndpoint
    local = SctpAddress((), 0)

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        self._reactor = reactor
        self._factory = factory
        self._own: ISctpStack | None = None
        self.guests: Guests | None = None
        self._unread = Outgoing()
        self._log = LimitedLog(Logger(), reactor.seconds)
        self.made: Callable[[Any], None] = lambda protocol: None
        self._protocols: dict[ISctpAssociation, tuple[Any, AssociationTransport]] = {}

    def associationUp(self, association: ISctpAssociation) -> None:
        if self.guests is not None and not self.guests.enters(association):
            return
        transport = AssociationTransport(self._reactor, association, self.local)
        try:
            protocol: Any = self._factory.buildProtocol(transport.getPeer())
            if protocol is None:
                association.abort()
                return
            face = protocol
            if not ISctpProtocol.providedBy(protocol):
                face = ByteStream(protocol)
                face.unread, face.log = self._unread, self._log
            self._protocols[association] = face, transport
            face.makeConnection(transport)
        except BaseException:
            association.abort()
            raise
        self.made(protocol)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if self.guests is not None and self.guests.mute and association in self.guests.mute:
            self.guests.speaks(association)
        if association in self._protocols:
            self._protocols[association][0].messageReceived(data, ppid, stream, unordered)

    def sendFailed(self, association: ISctpAssociation, data: bytes, ppid: int) -> None:
        if association in self._protocols:
            self._protocols[association][0].sendFailed(data, ppid)

    def associationPaused(self, association: ISctpAssociation) -> None:
        if association in self._protocols:
            self._protocols[association][1].paused()

    def associationResumed(self, association: ISctpAssociation) -> None:
        if association in self._protocols:
            self._protocols[association][1].resumed()

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        if self.guests is not None:
            self.guests.goes(association)
        face, transport = self._protocols.pop(association, (None, None))
        if face is not None and transport is not None:
            try:
                transport.lost()
            finally:
                face.connectionLost(reason)

    def open(
        self, stack: ISctpStack | None, port: int, hosts: tuple[str, ...], listening: bool, **options: Any
    ) -> None:
        """Open the endpoint.

        @param stack: C{None} opens one with these C{options} of L{open_stack<rserpool.sctp.stack.open_stack>}.
        @raise CannotListenError: see L{ISctpStack.open}.
        @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
        """
        if stack is None:
            stack = self._own = open_stack(self._reactor, hosts=hosts or ("0.0.0.0",), **options)
        try:
            self.serve(stack, stack.open(port, self, hosts, listening))
        except BaseException:
            self.release()
            raise

    def serve(self, stack: ISctpStack, endpoint: ISctpEndpoint) -> None:
        """This is the endpoint, open on that stack."""
        self.endpoint = endpoint
        self.local = SctpAddress(endpoint.hosts, endpoint.port, stack.encapsulation_port)

    def release(self) -> Deferred[None]:
        """Free the stack, if we have opened it.

        @return: a C{Deferred} that fires with C{None} when that is done.
        """
        return succeed(None) if self._own is None else self._own.close()
