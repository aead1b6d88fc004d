"""What the associations of all backends share: the queue before the stack, pauses, and the end (RFC 9260).

A backend says how one message, or the wish to shut down, is given to its stack, and when there is room again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.identity import Credentials
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, PIECE, SEND_LIMIT, check_message, check_messages
from rserpool.sctp.endpoint import SctpEndpoint


class BufferedAssociation:
    """The queue of an association; see L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}."""

    encapsulated = True
    unconfirmed_addresses: tuple[str, ...] = ()

    __slots__ = (
        "_closing", "_ended", "_lost", "_paused", "_queue", "buffered", "credentials", "endpoint", "established",
        "outbound", "peer",
    )  # fmt: skip

    def __init__(self, endpoint: SctpEndpoint[Any], peer: TransportAddress, outbound: bool) -> None:
        self.endpoint = endpoint
        self.peer = peer
        self.outbound = outbound
        self.established = False
        self.credentials: Credentials = None
        self.buffered = 0
        self._queue: deque[tuple[bytes, int, int, bool]] = deque()
        self._paused = False
        self._closing = False
        # The stack knows that no more is to be sent.
        self._ended = False
        self._lost = False
        endpoint.present[self] = None

    def __repr__(self) -> str:
        return f"<SCTP association {'to' if self.outbound else 'from'} {self.peer} at {self.endpoint!r}>"

    # What a backend supplies.

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
        """Give one message to the stack.

        @return: whether it took it.
        """
        raise NotImplementedError

    def put_all(self, several: Sequence[bytes], ppid: int) -> int:
        """Give several messages to the stack, on stream 0, which may put them together.

        @return: how many of them it took: the first ones.
        """
        for taken, data in enumerate(several):
            if not self.put(data, ppid, 0, False):
                return taken
        return len(several)

    def put_end(self) -> bool:
        """Tell the stack to shut down gracefully.

        @return: whether that is done.
        """
        raise NotImplementedError

    def cut(self) -> None:
        """Abort it in the stack; for everybody else it is lost already."""
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
            self.endpoint.waits(self, True)
        held = max(self.buffered, PIECE * len(self._queue))
        glutton = self if held > SEND_LIMIT else self.endpoint.outgoing.holds(self, held)
        if glutton is not None:
            glutton.give_up()
        if held > HIGH_WATER and not self._paused and not self._lost:
            self._paused = True
            self.endpoint.tell("associationPaused", self)

    def sendAll(self, several: Sequence[bytes], ppid: int = 0) -> None:
        check_messages(several)
        usual = self.established and not (self._queue or self._closing or self._lost)
        for data in several[self.put_all(several, ppid) if usual else 0 :]:
            self.send(data, ppid)

    def early(self, data: bytes, ppid: int) -> bool:
        """See L{ISctpAssociation.early<rserpool.sctp.interfaces.ISctpAssociation.early>}; not every stack can."""
        return False

    def after(self, call: Callable[[], object]) -> None:
        """See L{ISctpAssociation.after<rserpool.sctp.interfaces.ISctpAssociation.after>}; not every stack knows."""
        call()

    def bundle(self) -> None:
        """See L{ISctpAssociation.bundle<rserpool.sctp.interfaces.ISctpAssociation.bundle>}; not every stack can."""

    def close(self) -> None:
        if not self._lost and not self._closing:
            self._closing = True
            if self.established:
                self._fill()

    def abort(self) -> None:
        if not self._lost:
            failed = self._finish()
            self.cut()
            self.endpoint.later(self._report, failed, ConnectionAborted())

    # What the endpoint calls.

    def give_up(self) -> None:
        """Too much waits for a peer that reads nothing."""
        self.endpoint.log.error("{peer} takes no more data: aborting", peer=self.peer)
        self.abort()

    def up(self) -> None:
        """The association is established."""
        if not self._lost and not self.established:
            self.established = True
            self.endpoint.tell("associationUp", self)
            self.flush()

    def flush(self) -> None:
        """Give the stack what it has room for, and say so if that was what the handler waits for."""
        self._fill()
        if self._paused and max(self.buffered, PIECE * len(self._queue)) <= LOW_WATER and not self._lost:
            self._paused = False
            self.endpoint.tell("associationResumed", self)

    def lose(self, reason: Exception) -> None:
        """It is gone; the stack knows."""
        if not self._lost:
            self._report(self._finish(), reason)

    # Parts.

    def _fill(self) -> None:
        """Give the stack what it has room for; the last thing is the shutdown."""
        if self._lost or self._ended or not self.established:
            self.endpoint.waits(self, False)
            return
        queue = self._queue
        while queue:
            if not self.put(*queue[0]):
                break
            self.buffered -= len(queue.popleft()[0])
        self.endpoint.outgoing.holds(self, max(self.buffered, PIECE * len(queue)))
        if self._closing and not queue and self.put_end():
            self._ended = True
        self.endpoint.waits(self, bool(queue or self._paused or (self._closing and not self._ended)))

    def _finish(self) -> list[tuple[bytes, int]]:
        """Nothing more goes in or out.

        @return: the messages that the stack had not taken.
        """
        self._lost = True
        self.established = False
        failed = [(data, ppid) for data, ppid, _, _ in self._queue]
        self._queue.clear()
        self.buffered = 0
        self.endpoint.outgoing.holds(self, 0)
        self.endpoint.waits(self, False)
        return failed

    def _report(self, failed: list[tuple[bytes, int]], reason: Exception) -> None:
        for data, ppid in failed:
            self.endpoint.tell("sendFailed", self, data, ppid)
        self.endpoint.tell("associationLost", self, Failure(reason))
        self.endpoint.gone(self)
