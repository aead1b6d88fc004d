"""Bytes between a client and an element: a connection to each, both at the pace of the slower, half-closes passed on.

Over TCP and UNIX sockets the end of one direction is passed on by itself. SCTP and TLS know no such half-close: there
an end ends both directions, when everything was sent. What comes in bulk between sockets passes within the kernel.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.node.sockets import notice_vanished
from rserpool.proxy.bulk import Way, way_between


class Owner(Protocol):
    """Who is told what happens at an end."""

    def up(self, end: End) -> None: ...

    def passed(self, end: End, count: int) -> None: ...

    def ended(self, end: End) -> bool: ...

    def lost(self, end: End, reason: Failure) -> None: ...


@implementer(IHalfCloseableProtocol, IPushProducer)
class End(TwistedProtocol):
    """One of the two connections.

    @ivar ended: whether the peer will send no more.
    @ivar open: whether the connection is up.
    """

    transport: Any

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.other: End | None = None
        self.open = False
        self.ended = False
        self._way: Way | None = None

    def join(self, other: End) -> None:
        """Pass on from now on, in both directions; each reads only while the other can write."""
        self.other, other.other = other, self
        for one, two in ((self, other), (other, self)):
            one.transport.registerProducer(two, True)
            one._way = way_between(one.transport, two.transport, partial(self.owner.passed, one))
        for end in (self, other):
            end.resumeProducing()
        read_at_once = getattr(self.transport, "read_at_once", None)
        if read_at_once is not None:
            read_at_once()

    def part(self) -> None:
        """Pass on no more; the two ends know nothing of each other afterwards."""
        self._settle()
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            for end in (self, other):
                end._way = None
                end.release()

    def _settle(self) -> None:
        """Nothing is on its way within the kernel any more: what ends a transport knows nothing of that."""
        for end in (self, self.other):
            if end is not None and end._way is not None:
                end._way.leave()

    def release(self) -> None:
        """Nobody is to be paused for the sake of this end any more."""
        if self.open:
            self.transport.unregisterProducer()

    def close(self) -> None:
        """End it when everything was sent."""
        if self.open:
            self._settle()
            self.release()
            self.transport.loseConnection()

    def abort(self) -> None:
        """End it at once."""
        if self.open:
            self._settle()
            self.transport.abortConnection()

    # IPushProducer: what the other's transport asks of us

    def pauseProducing(self) -> None:
        if self.open:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self.open:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The other connection is lost; its C{connectionLost} decides what that means."""

    # IHalfCloseableProtocol

    def connectionMade(self) -> None:
        self.open = True
        if not getattr(self.transport, "prepared", False):
            self._prepare()
            # Nothing is read before there is somebody who can take it.
            self.transport.pauseProducing()
        self.owner.up(self)

    def _prepare(self) -> None:
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None and getattr(self.transport.getHost(), "type", "") == "TCP":
            set_no_delay(True)
            notice_vanished(self.transport)

    def dataReceived(self, data: bytes) -> None:
        other = self.other
        if other is not None:
            self.owner.passed(self, len(data))
            (self._way or other.transport).write(data)

    def readConnectionLost(self) -> None:
        """The peer will send no more, and may still want to read."""
        self._settle()
        self.ended = True
        if self.owner.ended(self):
            return
        other = self.other
        if other is None:
            return
        if other.ended:
            # Both directions are at their end.
            other.close()
            self.close()
            return
        # What this end would have read can pause nobody any more.
        other.release()
        lose = getattr(other.transport, "loseWriteConnection", None)
        if lose is None or ISSLTransport.providedBy(other.transport):
            other.transport.loseConnection()
        else:
            lose()

    def writeConnectionLost(self) -> None:
        """Our own end has been passed on."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.open = False
        self._settle()
        self.owner.lost(self, reason)
        other, self.other = self.other, None
        if other is None:
            return
        other.other = None
        if isinstance(reason.value, ConnectionDone):
            other.close()
        else:
            # A reset is passed on as one.
            other.abort()
