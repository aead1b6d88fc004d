"""Links over TCP: session framing between our own peers. L{rserpool.session.listening} has those with others.

RFC 5354 section 3.5 knows TCP as "data only"; RFC 5355 section 2.16 wants both channels multiplexed. Session framing
does so where an element offers it (docs/interop.md, "Sessions").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from rserpool.core.errors import WireError
from rserpool.core.session.traits import Traits
from rserpool.core.wire.frames import DATA, LONGEST_FRAME, FrameReader, Hello, frame
from rserpool.node.sockets import notice_vanished
from rserpool.sctp.base import MAX_MESSAGE
from rserpool.session.links import Link, LinkOwner


class TcpLink(Link, Protocol):
    """What both kinds do alike."""

    transport: Any

    def connectionMade(self) -> None:
        no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if no_delay is not None:
            no_delay(True)
            notice_vanished(self.transport)
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        Link.connectionLost(self, reason)

    def stop_reading(self) -> None:
        if self.transport is not None:
            self.transport.pauseProducing()

    def start_reading(self) -> None:
        if self.transport is not None and not self.over:
            self.transport.resumeProducing()


class FramedLink(TcpLink):
    """Session framing, version 1."""

    traits = Traits(control=True, numbered=True, messages=True)

    def __init__(self, owner: LinkOwner, hello: Hello, longest: int = LONGEST_FRAME) -> None:
        """
        @param longest: the most bytes of a frame's body that the peer may send.
        """
        super().__init__(owner)
        self._hello = hello
        self._greeted = False
        # Told of the first word, and of the end, where somebody wants to know.
        self.speaks: Callable[[FramedLink], object] = lambda link: None
        self.gone: Callable[[FramedLink], object] = lambda link: None
        # Who waits for a hello has a reactor, and a timer.
        self.patience: float | None = None
        self._waiting_for_hello: Any = None
        self._reader = FrameReader(longest)
        # What is said while something is being heard goes out in one piece.
        self._said: list[bytes] | None = None
        self._said_size = 0
        # What came in one piece with what made us stop, and the end that followed it.
        self._unheard: deque[tuple[int, bytes]] = deque()
        self._stopped = False
        self._lost: Failure | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.write(self._hello.encode())
        reactor = getattr(self.transport, "reactor", None)
        if self.patience is not None and reactor is not None:
            self._waiting_for_hello = reactor.callLater(self.patience, self._no_hello)

    def _no_hello(self) -> None:
        self._waiting_for_hello = None
        self._broken(WireError(f"no hello within {self.patience:g} s"))

    def _hello_came(self) -> None:
        self._greeted = True
        waiting, self._waiting_for_hello = self._waiting_for_hello, None
        if waiting is not None:
            waiting.cancel()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._hello_came()
        self.gone(self)
        if self._unheard and not self.over:
            self._lost = reason
        else:
            super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        self._said, self._said_size = [], 0
        try:
            self._hear(data)
        finally:
            self._flush()

    def stop_reading(self) -> None:
        self._stopped = True
        super().stop_reading()

    def start_reading(self) -> None:
        self._stopped = False
        if self._unheard and self._said is None:
            frames, self._unheard = self._unheard, deque()
            self._said, self._said_size = [], 0
            try:
                self._hear_all(frames)
            finally:
                self._flush()
        if self._stopped or self._unheard:
            return
        if self._lost is None:
            super().start_reading()
        else:
            reason, self._lost = self._lost, None
            super().connectionLost(reason)

    def pauseProducing(self) -> None:
        # Until the peer's hello is here our own waits for TLS: who stops reading then never ends the handshake.
        if self._greeted:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        if self._greeted:
            super().resumeProducing()

    def _hear(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
            if not self._greeted and frames:
                hello = Hello.decode(*frames.pop(0))
                self._hello_came()
                self.speaks(self)
                self.owner.link_up(self, hello)
        except WireError as error:
            self._broken(error)
            return
        self._hear_all(frames)

    def _hear_all(self, frames: Iterable[tuple[int, bytes]]) -> None:
        owner, left = self.owner, iter(frames)
        for kind, body in left:
            if self.over:
                return
            if self._stopped or self._unheard:
                self._unheard += ((kind, body), *left)
                return
            if kind == DATA:
                # As below, and sooner.
                owner.link_data(self, body)
            else:
                self._heard(kind, body)

    def say(self, kind: int, data: bytes) -> None:
        framed = frame(kind, data)
        if self._said is None:
            self.transport.write(framed)
        else:
            self._said.append(framed)
            self._said_size += len(framed)
            if len(self._said) > 64 or self._said_size > MAX_MESSAGE:
                # The transport must see what piles up.
                self._flush()
                self._said, self._said_size = [], 0

    def close(self) -> None:
        self._flush()
        super().close()

    def _flush(self) -> None:
        said, self._said = self._said, None
        if said:
            self.transport.write(said[0] if len(said) == 1 else b"".join(said))

    def _misplaced(self, kind: int, body: bytes) -> str:
        return f"not a frame that may come here: kind {kind}, {len(body)} bytes"
