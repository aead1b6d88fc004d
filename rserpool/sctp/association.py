"""What associations of the backends share: the queue before the stack, and messages that come in pieces (RFC 6458).

A backend says how one message, or the wish to shut down, is given to its stack, and when there is room again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.error import ConnectionAborted
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, MAX_MESSAGE, SEND_LIMIT, check_message

_log = Logger()
_FIRST_FRAGMENT = 2
_LAST_FRAGMENT = 1


class Owner(Protocol):
    """What such an association needs of its endpoint.

    @ivar message_received: the handler's C{messageReceived}.
    """

    message_received: Callable[..., Any]

    def waits(self, association: Any, waiting: bool) -> None:
        """Whether the association wants L{BufferedAssociation.flush} to be called once the stack has room."""

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""

    def later(self, call: Callable[..., object], *arguments: object) -> None:
        """Call this once the present call has returned."""

    def gone(self, association: Any) -> None:
        """The handler has been told that the association is lost."""


class BufferedAssociation:
    """The queue of an association; see L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}.

    @ivar identifier: the stack's number for it; 0 if the stack does not know it.
    """

    __slots__ = (
        "_closing", "_ended", "_fragments", "_lost", "_owner", "_partial", "_paused", "_queue", "_streams",
        "buffered", "established", "identifier", "outbound", "peer",
    )  # fmt: skip

    def __init__(self, owner: Owner, peer: TransportAddress, outbound: bool, identifier: int = 0) -> None:
        self.peer = peer
        self.outbound = outbound
        self.established = False
        self.buffered = 0
        self.identifier = identifier
        self._owner = owner
        self._queue: deque[tuple[bytes, int, int, bool]] = deque()
        self._partial: dict[int, bytearray] = {}
        self._fragments: list[bytes] = []
        self._streams = 1
        self._paused = False
        self._closing = False
        # The stack knows that no more is to be sent.
        self._ended = False
        self._lost = False

    def __repr__(self) -> str:
        return f"<SCTP association {'to' if self.outbound else 'from'} {self.peer} at {self._owner!r}>"

    # What a backend supplies.

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
        """Give one message to the stack.

        @return: whether it took it.
        """
        raise NotImplementedError

    def put_end(self) -> bool:
        """Tell the stack to shut down gracefully.

        @return: whether that is done.
        """
        raise NotImplementedError

    def cut(self) -> None:
        """Abort it in the stack."""
        raise NotImplementedError

    # What users call.

    def send(self, data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        check_message(data, stream)
        if self._lost or self._closing:
            return
        if self.established and not self._queue and self.put(data, ppid, stream, unordered):
            return
        self._queue.append((data, ppid, stream, unordered))
        self.buffered += len(data)
        if self.established:
            self._owner.waits(self, True)
        if self.buffered > SEND_LIMIT:
            _log.error("{peer} takes no more data: aborting", peer=self.peer)
            self.abort()
        elif self.buffered > HIGH_WATER and not self._paused:
            self._paused = True
            self._owner.tell("associationPaused", self)

    def close(self) -> None:
        if not self._lost and not self._closing:
            self._closing = True
            if self.established:
                self._fill()

    def abort(self) -> None:
        if self._lost:
            return
        self.cut()
        self._owner.later(self._report, self._finish(), ConnectionAborted())

    # What the endpoint calls.

    def up(self, streams: int) -> None:
        """The association is established, with so many streams to send on."""
        if self._lost:
            return
        self._streams = streams
        self.established = True
        self._owner.tell("associationUp", self)
        self.flush()

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
            self._owner.message_received(self, data, ppid, stream, unordered)
        except Exception:
            _log.failure("{handler} failed", handler=self._owner.message_received)

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
            self._owner.tell("sendFailed", self, data, ppid)

    def shut_down(self) -> None:
        """The peer shuts down: it takes no more data."""
        self._closing = self._ended = True

    def flush(self) -> None:
        """Give the stack what it has room for, and say so if that was what the handler waits for."""
        self._fill()
        if self._paused and self.buffered <= LOW_WATER and not self._lost:
            self._paused = False
            self._owner.tell("associationResumed", self)

    def lose(self, reason: Exception) -> None:
        """It is gone; the stack knows."""
        if not self._lost:
            self._report(self._finish(), reason)

    # Parts.

    def _fill(self) -> None:
        """Give the stack what it has room for; the last thing is the shutdown."""
        if self._lost or self._ended or not self.established:
            self._owner.waits(self, False)
            return
        queue = self._queue
        while queue:
            if not self.put(*queue[0]):
                break
            self.buffered -= len(queue.popleft()[0])
        if self._closing and not queue and self.put_end():
            self._ended = True
        self._owner.waits(self, bool(queue or self._paused or (self._closing and not self._ended)))

    def _too_long(self) -> None:
        _log.error("{peer} sends a message of more than {limit} bytes: aborting", peer=self.peer, limit=MAX_MESSAGE)
        self.abort()

    def _finish(self) -> list[tuple[bytes, int]]:
        """Nothing more goes in or out.

        @return: the messages that the stack had not taken.
        """
        self._lost = True
        self.established = False
        failed = [(data, ppid) for data, ppid, _, _ in self._queue]
        self._queue.clear()
        self._partial.clear()
        self.buffered = 0
        self._owner.waits(self, False)
        return failed

    def _report(self, failed: list[tuple[bytes, int]], reason: Exception) -> None:
        for data, ppid in failed:
            self._owner.tell("sendFailed", self, data, ppid)
        self._owner.tell("associationLost", self, Failure(reason))
        self._owner.gone(self)
