"""An ordinary Twisted protocol over a session: what is written goes out as messages, what comes is data.

For those who want a session's control channel, cookies and failover beneath a protocol that knows bytes alone. A
protocol that has a method C{failedOver(old, new)} is told of a failover, and its connection goes on; to any other, a
failover is the loss of its connection, as that of a TCP connection would be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import SessionEnded
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.sctp.base import MAX_MESSAGE
from rserpool.session.client import Session
from rserpool.session.element import SessionProtocol
from rserpool.session.server import SessionFactory
from rserpool.user.service import PoolUserService


@implementer(ITransport, IConsumer, IPushProducer)
class SessionTransport:
    """The transport of a protocol over a session; C{session} is the session at either side.

    @ivar disconnecting: whether it is being closed.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.disconnecting = False
        self.aborted = False
        self._producer: Any = None
        self._streaming = True

    def write(self, data: bytes) -> None:
        if len(data) <= MAX_MESSAGE:
            if data and not self.disconnecting:
                self.session.send(data)
            return
        for start in range(0, len(data), MAX_MESSAGE):
            self.write(bytes(data[start : start + MAX_MESSAGE]))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if not self.disconnecting and self._producer is None:
            self.disconnecting = True
            self.session.close()

    def abortConnection(self) -> None:
        """End the connection at once."""
        self.disconnecting = self.aborted = True
        self.session.abort()

    def getPeer(self) -> Any:
        """Where the other side is."""
        return self.session.peer

    def getHost(self) -> Any:
        """Where we are."""
        return self.session.host

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let C{producer} produce while the session takes more; a pull producer is not supported.

        @raise RuntimeError: if there is one already, or it is a pull producer.
        """
        if self._producer is not None or not streaming:
            raise RuntimeError("a session takes one push producer")
        self._producer = producer
        if not self.session.writable:
            self.paused()

    def unregisterProducer(self) -> None:
        self._producer = None

    def paused(self) -> None:
        """The session takes no more for now."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumed(self) -> None:
        """It takes more."""
        if self._producer is not None:
            self._producer.resumeProducing()

    # IPushProducer: the protocol does not want to read now

    def pauseProducing(self) -> None:
        self.session.stop_reading()

    def resumeProducing(self) -> None:
        self.session.start_reading()

    def stopProducing(self) -> None:
        self.loseConnection()


@implementer(IStreamClientEndpoint)
class SessionClientEndpoint:
    """Connects ordinary protocols to a pool, each by a session of its own.

    @param options: those of L{Session<rserpool.session.client.Session>}, but its callbacks.
    """

    def __init__(self, user: PoolUserService, pool: bytes | str, **options: Any) -> None:
        self._user = user
        self._pool = pool
        self._options = options

    def __repr__(self) -> str:
        return f"<SessionClientEndpoint to pool {handle_text(handle_of(self._pool))!r}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open a session.

        @return: a C{Deferred} of the protocol, that can be cancelled; it fails with
            L{SessionEnded<rserpool.core.errors.SessionEnded>}.
        """
        session = Session(self._user, self._pool, **self._options)
        return ensureDeferred(self._connect(protocolFactory, session))

    async def _connect(self, factory: IProtocolFactory, session: Session) -> IProtocol:
        try:
            await session.ready()
            protocol: Any = factory.buildProtocol(session.peer)
            if protocol is None:
                raise ConnectionAborted("the factory built no protocol")
        except BaseException:
            session.close()
            raise
        run_over(session, protocol)
        return protocol  # type: ignore[no-any-return]


def run_over(session: Session, protocol: Any) -> None:
    """Let an ordinary protocol run over a session, from now to the end of either."""
    transport = SessionTransport(session)

    def failed_over(old: PoolElementParameter, new: PoolElementParameter) -> None:
        told = getattr(protocol, "failedOver", None)
        if told is not None:
            told(old, new)
        else:
            session.ended = None
            session.close()
            protocol.connectionLost(Failure(ConnectionLost("the element failed")))

    def ended(error: SessionEnded | None) -> None:
        if error is not None:
            reason = Failure(ConnectionLost(str(error)))
        else:
            reason = Failure(ConnectionAborted() if transport.aborted else ConnectionDone())
        protocol.connectionLost(reason)

    session.received = protocol.dataReceived
    session.failed_over = failed_over
    session.ended = ended
    session.paused, session.resumed = transport.paused, transport.resumed
    protocol.makeConnection(transport)


class _Stream(SessionProtocol):
    """An ordinary protocol at the element."""

    def __init__(self, factory: IProtocolFactory) -> None:
        self._inner = factory
        self._protocol: Any = None
        self._transport: Any = None

    def sessionStarted(self, state: bytes | None) -> None:
        self._protocol = self._inner.buildProtocol(self.session.peer)
        if self._protocol is None:
            self.session.abort()
            return
        self._transport = SessionTransport(self.session)
        self._protocol.makeConnection(self._transport)

    def messageReceived(self, data: bytes) -> None:
        if self._protocol is not None:
            self._protocol.dataReceived(data)

    def sendingPaused(self) -> None:
        if self._transport is not None:
            self._transport.paused()

    def sendingResumed(self) -> None:
        if self._transport is not None:
            self._transport.resumed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)


def stream_sessions(factory: IProtocolFactory, **options: Any) -> SessionFactory:
    """A factory of sessions whose protocols are the ordinary ones of another factory.

    @param options: those of L{SessionFactory<rserpool.session.server.SessionFactory>}.
    """
    return SessionFactory(lambda: _Stream(factory), **{"speaks_first": True, **options})
