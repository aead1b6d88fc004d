"""The HTTP of the admin interface: who is too slow, asks for too much, or comes too often, is cut off (RFC 9110)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, HTTPFactory, Request, datetimeToString
from zope.interface import implementer

from rserpool.admin.answers import Answer, Listing, Refused, pieces

MOST: Final = 256
"""So many connections at once, at all places together; ten consoles have some 30."""
SLOW: Final = 10.0
"""Seconds from the beginning of a request, or of the connection, until all of it is there."""
IDLE: Final = 60.0
"""Seconds that a connection rests between two requests."""
STUCK: Final = 30.0
"""Seconds that somebody may read nothing of what it asked for."""
LONGEST_BODY: Final = 64 * 1024
"""Bytes of a request beside its header."""
HANDSHAKE: Final = b"\x16"
"""What TLS begins with (RFC 8446 section 5.1), and no request does."""

_log = Logger()


class AdminRequest(Request):
    """One request, and its answer."""

    channel: Any
    _parsePOSTFormSubmission = False

    def gotLength(self, length: int | None) -> None:
        self._received = 0
        super().gotLength(0 if length is None or length > LONGEST_BODY else length)
        if length is not None and length > LONGEST_BODY:
            self.channel.too_large()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > LONGEST_BODY:
            self.channel.too_large()
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer it."""
        answered = self.channel.site.answer(self)
        if isinstance(answered, Deferred):
            answered.addErrback(_refused)
            answered.addCallback(self.give)
        else:
            self.give(answered)

    def give(self, answer: Any) -> None:
        """Write the answer, unless its reader is gone."""
        if self._disconnected or answer is None:
            return
        headers = self.responseHeaders
        for name, value in HEADERS.items():
            headers.setRawHeaders(name, [value])
        headers.setRawHeaders(b"Date", [datetimeToString()])
        if isinstance(answer, Listing):
            headers.setRawHeaders(b"Content-Type", [b"application/json"])
            if self.method == b"HEAD":
                self.finish()
            else:
                _Writer(self, pieces(answer)).start()
            return
        if not isinstance(answer, Answer):
            answer.start(self)
            return
        self.setResponseCode(answer.status)
        headers.setRawHeaders(b"Content-Type", [answer.content])
        headers.setRawHeaders(b"Content-Length", [b"%d" % len(answer.body)])
        for name, value in answer.headers.items():
            headers.setRawHeaders(name, [value])
        if self.method != b"HEAD":
            self.write(answer.body)
        self.finish()


HEADERS: Final = {
    b"Server": b"rserpool",
    b"Cache-Control": b"no-store",
    b"X-Content-Type-Options": b"nosniff",
    b"X-Frame-Options": b"DENY",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Cross-Origin-Opener-Policy": b"same-origin",
    b"Content-Security-Policy": b"default-src 'none'; frame-ancestors 'none'",
}
"""Of every answer: nobody else's page may read, show or keep it."""


@implementer(IPushProducer)
class _Writer:
    """Writes a list: a piece in each turn of the loop, while the connection takes them."""

    def __init__(self, request: AdminRequest, rest: Iterator[bytes]) -> None:
        self._request = request
        self._rest = rest
        self._watch = Stuck(request)
        self._turn: Any = None

    def start(self) -> None:
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        if self._turn is None:
            self._turn = self._request.channel.callLater(0, self._go_on)

    def pauseProducing(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()

    def stopProducing(self) -> None:
        """Nobody is there any more."""
        self.pauseProducing()
        self._watch.stop()

    def _go_on(self) -> None:
        self._turn = None
        self._watch.moves()
        piece = next(self._rest, None)
        if piece is None:
            self._watch.stop()
            self._request.unregisterProducer()
            self._request.finish()
            return
        self.resumeProducing()
        # This may pause it.
        self._request.write(piece)


class Stuck(TimeoutMixin):
    """Cuts off who reads nothing."""

    def __init__(self, request: AdminRequest) -> None:
        self._request = request
        self.setTimeout(STUCK)

    def callLater(self, period: float, func: Callable[..., Any]) -> Any:
        """On the clock of the connection."""
        return self._request.channel.callLater(period, func)

    def moves(self) -> None:
        """It reads."""
        self.resetTimeout()

    def stop(self) -> None:
        """All is written, or nobody is there."""
        self.setTimeout(None)

    def timeoutConnection(self) -> None:
        self._request.channel.abort()


class AdminChannel(HTTPChannel):
    """One connection.

    @ivar site: its L{AdminSite}.
    """

    site: AdminSite
    transport: Any
    requestFactory = AdminRequest
    totalHeadersSize = 16384
    maxHeaders = 100

    def __init__(self) -> None:
        super().__init__()
        self._late: Any = None
        self._deaf = False
        self._heard = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self._begin()

    def dataReceived(self, data: bytes) -> None:
        if self._deaf:
            return
        if data.startswith(HANDSHAKE) and not self._heard:
            self.not_http()
            return
        self._heard = True
        if self._late is None and not self._handlingRequest:
            self._begin()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if not self._deaf:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self._deaf:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        self._done()
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.there.discard(self)
        self._done()
        super().connectionLost(reason)

    def abort(self) -> None:
        """Cut it off at once."""
        self.transport.abortConnection()

    def not_http(self) -> None:
        """It begins with TLS: answered in the clear, which its TLS understands at once as no TLS."""
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self._deaf = True
        self.loseConnection()

    def too_large(self) -> None:
        """Its body is longer than any that means something."""
        self.transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self._deaf = True
        self.loseConnection()

    def _begin(self) -> None:
        self._late = self.callLater(SLOW, self._too_slow)

    def _done(self) -> None:
        late, self._late = self._late, None
        if late is not None and late.active():
            late.cancel()

    def _too_slow(self) -> None:
        self._late = None
        self.abort()


class AdminSite(HTTPFactory):
    """What listens at one place.

    @param respond: what answers a request: an L{Answer}, a L{Listing}, something with C{start(request)}, or a
        C{Deferred} of one of them; or raises L{Refused}.
    @ivar there: the connections.
    """

    noisy = False

    def __init__(self, reactor: Any, respond: Callable[[AdminRequest], Any]) -> None:
        super().__init__(timeout=IDLE, reactor=reactor)
        self._respond = respond
        self.there: set[AdminChannel] = set()

    def startFactory(self) -> None:
        """Nothing is logged for each request."""

    def stopFactory(self) -> None:
        """Nor is there a log to close."""

    def buildProtocol(self, addr: Any) -> Any:
        """A connection, while there are not too many."""
        if len(self.there) >= MOST:
            return None
        channel: Any = AdminChannel()
        channel.factory = channel.site = self
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        self.there.add(channel)
        return channel

    def answer(self, request: AdminRequest) -> Any:
        """What is answered; never raises."""
        try:
            return self._respond(request)
        except Exception:  # noqa: BLE001
            return _refused(Failure())

    def log(self, request: Request) -> None:
        """No line for each request."""


def _refused(failure: Failure) -> Answer:
    if isinstance(failure.value, Refused):
        return failure.value.answer()
    _log.failure("the admin interface failed to answer", failure)
    return Refused(500, "this failed; the log says why").answer()
