"""An ordinary Twisted protocol (C{dataReceived}) over SCTP: a message is no more than a piece of a stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer, ITransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.sctp.base import MAX_MESSAGE, SEND_LIMIT
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.one_to_one.transport import SctpAddress, SctpProtocol
from rserpool.sctp.outgoing import Outgoing

MOST_PIECES = 64
"""When so many pieces wait for a reader, further ones are joined."""


@implementer(ITransport, IConsumer, IPushProducer)
class ByteStream(SctpProtocol):
    """Stands between an association and a protocol, and is the transport of the protocol.

    @ivar unread: what waits for readers that have paused, of all associations of a port.

    What is written goes out in order as messages of at most 64 KiB, with PPID 0 on stream 0.
    """

    # The associations of a port have one that is limited.
    log: Logger | LimitedLog = Logger()

    def __init__(self, protocol: IProtocol) -> None:
        self._protocol = protocol
        self._pausing = False
        self._waiting: deque[bytearray] = deque()
        self._size = 0
        self.unread = Outgoing()
        self._lost: Failure | None = None

    # The side of the association

    def connectionMade(self) -> None:
        self._protocol.makeConnection(self)

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        if not self._pausing:
            self._deliver(data)
            return
        if len(self._waiting) < MOST_PIECES or len(self._waiting[-1]) + len(data) > MAX_MESSAGE:
            self._waiting.append(bytearray())
        # They may be of one byte each.
        self._waiting[-1] += data
        self._size += len(data)
        glutton = self if self._size > SEND_LIMIT else self.unread.holds(self, self._size)
        if glutton is not None:
            glutton.give_up()

    def give_up(self) -> None:
        """Too much waits to be read."""
        self.log.error("{peer} sends what nobody reads: aborting", peer=self.transport.peer)
        self._forget()
        self.abortConnection()
        if self._lost is not None:
            self._lost = None
            self._protocol.connectionLost(Failure(ConnectionAborted()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._waiting and reason.check(ConnectionDone):
            # A reader that pauses gets everything that was sent before the end, and then the end.
            self._lost = reason
        else:
            self._forget()
            self._protocol.connectionLost(reason)

    def _forget(self) -> None:
        self._waiting.clear()
        self._size = 0
        self.unread.holds(self, 0)

    def _deliver(self, data: bytes) -> None:
        try:
            self._protocol.dataReceived(data)
        except Exception:
            # As over TCP: a stream of which a piece was not understood cannot go on.
            self.log.failure("{protocol} failed: aborting", protocol=type(self._protocol).__qualname__)
            self.abortConnection()

    # The side of the protocol: ITransport

    @property
    def disconnecting(self) -> bool:
        """Whether the connection is being closed."""
        return self.transport.disconnecting  # type: ignore[no-any-return]

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), MAX_MESSAGE):
            self.transport.send(bytes(data[start : start + MAX_MESSAGE]))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        """End the connection at once; what was not sent is lost."""
        self.transport.abort()

    def getPeer(self) -> SctpAddress:
        return self.transport.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> SctpAddress:
        return self.transport.getHost()  # type: ignore[no-any-return]

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self.transport.unregisterProducer()

    # IPushProducer: the protocol does not want to read now

    def pauseProducing(self) -> None:
        self._pausing = True

    def resumeProducing(self) -> None:
        self._pausing = False
        while self._waiting and not self._pausing:
            piece = bytes(self._waiting.popleft())
            self._size -= len(piece)
            self.unread.holds(self, self._size)
            self._deliver(piece)
        if self._lost is not None and not self._waiting:
            reason, self._lost = self._lost, None
            self._protocol.connectionLost(reason)

    def stopProducing(self) -> None:
        self.loseConnection()
