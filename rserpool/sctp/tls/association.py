"""One association over which TLS is spoken (RFC 3436): it is up once the handshake is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import Unproved, WireError
from rserpool.core.identity import Credentials, Identity
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, SEND_LIMIT, check_message, check_messages
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.tls.opening import Opening
from rserpool.sctp.tls.place import GOODBYE, HandshakeFailed, Place
from rserpool.security.engine import TlsConnection
from rserpool.security.failure import TlsFailure
from rserpool.security.way import RECORD, TWO_RECORDS

_log = Logger()


@implementer(ISctpAssociation)
class TlsAssociation(Opening):
    """See L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}."""

    __slots__ = (
        "_closing", "_message_received", "_one", "_open", "_queue", "_queued", "_received", "_seal", "_told_paused",
        "_up", "_wrap", "credentials", "framing",
    )  # fmt: skip

    def __init__(self, endpoint: Place, inner: ISctpAssociation, expected: Collection[Identity] | None) -> None:
        super().__init__(endpoint, inner, expected)
        self.credentials: Credentials = None
        self.framing = endpoint.channel.framing
        self._message_received = endpoint.handler.messageReceived
        self._wrap, self._one = self.framing.wrap, self.framing.one
        self._queue: deque[tuple[bytes, int]] = deque()
        self._queued = 0
        self._received = bytearray()
        self._up = self._closing = self._told_paused = False

    def __repr__(self) -> str:
        return f"<TLS over {self.inner!r}>"

    _open: Callable[[bytes], bytes]
    _seal: Callable[[bytes], bytes]

    # What users call.

    @property
    def established(self) -> bool:
        """Whether it is up."""
        return bool(self._up and self.inner.established)

    @property
    def buffered(self) -> int:
        """Bytes that wait."""
        return int(self._queued + self.inner.buffered)

    @property
    def smoothed_round_trip(self) -> float | None:
        return self.inner.smoothed_round_trip if self._up else None

    def send(self, data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        check_message(data, stream)
        # This is where the time of most messages goes: few calls.
        if self._up and not self._queue:
            if not self._closing:
                framed = self._wrap(data, ppid)
                if len(framed) > RECORD:
                    self._write(framed)
                    return
                try:
                    sealed = self._seal(framed)
                except TlsFailure as failure:
                    self.fail(str(failure))
                    return
                if len(sealed) - len(framed) < TWO_RECORDS:
                    self.inner.send(sealed, self._ppid)
                else:
                    self._put(sealed)
        elif not self._lost and not self._closing:
            self._queue.append((data, ppid))
            self._queued += len(data)
            if self._queued > SEND_LIMIT:
                _log.error("{peer} takes no more data: aborting", peer=self.peer)
                self.abort()
            elif self._queued > HIGH_WATER:
                self.paused()

    def sendAll(self, several: Sequence[bytes], ppid: int = 0) -> None:
        check_messages(several)
        self.inner.bundle()
        for data in several:
            self.send(data, ppid)

    def close(self) -> None:
        if not self._closing and not self._lost:
            self._closing = True
            if self._up and not self._queue:
                self._end()

    def abort(self) -> None:
        self._up = False
        self.inner.abort()

    # What the endpoint calls.

    def received(self, data: bytes) -> None:
        """A message came in; it should be a record."""
        if not self._up:
            if not self._lost and self.failure is None:
                self._handshake(data)
            return
        try:
            plain = self._open(data)
        except TlsFailure as failure:
            self.fail(str(failure))
            return
        if plain and not self._received:
            message = self._one(plain)
            if message is not None:
                try:
                    self._message_received(self, message[0], message[1], 0, False)
                except Exception:
                    _log.failure("{handler} failed", handler=self._message_received)
                return
        self._deliver(plain)

    def paused(self) -> None:
        """More waits than should."""
        if not self._told_paused:
            self._told_paused = True
            self.endpoint.tell("associationPaused", self)

    def resumed(self) -> None:
        """It has drained."""
        if self._told_paused:
            self._told_paused = False
            self.endpoint.tell("associationResumed", self)

    def fail(self, why: str, passing: bool = False) -> None:
        """TLS has failed; the peer hears as much of it as it may.

        @param passing: whether it may be otherwise in a moment.
        """
        if self.failure is not None or self._lost:
            return
        self.failure = Unproved(why, passing)
        told, self._up = self._up, False
        self._stop()
        self.endpoint.failed(self, why)
        last = self._tls.output() if self._tls is not None else b""
        if told or not last:
            self.inner.abort()
            return
        self._put(last)
        self.inner.close()
        self._timer = self.endpoint.reactor.callLater(GOODBYE, self.inner.abort)

    def lost(self, reason: Failure) -> None:
        """The association beneath is gone."""
        told, self._up, self._lost = self.credentials is not None, False, True
        self.endpoint.channel.gone(self)
        self._stop()
        while self._queue:
            data, ppid = self._queue.popleft()
            self.endpoint.tell("sendFailed", self, data, ppid)
        self._queued = 0
        if told:
            if self.failure is not None:
                reason = Failure(ConnectionLost(str(self.failure)))
            elif reason.check(ConnectionDone) and not self._closing and not (self._tls and self._tls.closed):
                reason = Failure(ConnectionLost("it ended without the end of TLS: something may be missing"))
            self.endpoint.tell("associationLost", self, reason)
        elif self.outbound:
            if self.failure is None and self._tls is not None and reason.check(ConnectionDone, ConnectionLost):
                self.failure = Unproved("the peer ended the association within the TLS handshake", passing=True)
            if self.failure is not None:
                reason = Failure(HandshakeFailed(string=str(self.failure)))
            self.endpoint.tell("associationLost", self, reason)

    # Parts.

    def _opened(self, tls: TlsConnection) -> None:
        self.credentials = tls.credentials
        self._open, self._seal = tls.open, tls.seal
        self._up = True
        self.endpoint.tell("associationUp", self)
        self._flush()
        plain = tls.open(b"") if self._up and tls.more else b""
        if plain:
            self._deliver(plain)

    def _flush(self) -> None:
        queue = self._queue
        while queue and self._up:
            data, ppid = queue.popleft()
            self._queued -= len(data)
            self._write(self._wrap(data, ppid))
        if self._up:
            if self._told_paused and self.inner.buffered <= LOW_WATER:
                self.resumed()
            if self._closing:
                self._end()

    def _write(self, framed: bytes) -> None:
        assert self._tls is not None
        try:
            self._put(self._tls.write(framed))
        except TlsFailure as failure:
            self.fail(str(failure))

    def _end(self) -> None:
        assert self._tls is not None
        self._put(self._tls.end())
        self.inner.close()

    def _deliver(self, plain: bytes) -> None:
        """Tell the handler of the messages that have come in whole."""
        tls = self._tls
        assert tls is not None
        if not plain:
            # For example that no other handshake is wanted.
            self._put(tls.output())
            if tls.closed:
                self.close()
            return
        self._received += plain
        try:
            for data, ppid in self.framing.take(self._received):
                self.endpoint.tell("messageReceived", self, data, ppid, 0, False)
                if not self._up:
                    break
        except WireError as error:
            self.fail(str(error))
