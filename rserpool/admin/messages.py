"""The messages of a role as they come and go, a JSON object a line, for operators: C{rserpool trace --admin}."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from rserpool.admin.answers import Refused, dumped
from rserpool.admin.site import AdminRequest, Stuck

MOST: Final = 1_000
"""So many messages wait for a slow reader; of more the first are lost, and it hears how many."""
MOST_STREAMS: Final = 8
QUIET: Final = 0.1
"""Seconds between two pieces of a stream."""
ALIVE: Final = 15.0
"""Seconds after which an empty line is sent, where nothing happens."""


class Taps:
    """Those who look on.

    @param tap: begins to tell of each message, and returns what ends it.
    """

    def __init__(self, tap: Callable[[Any], Callable[[], object]]) -> None:
        self.tap = tap
        self.open = 0

    def stream(self) -> MessageStream:
        """A new one.

        @raise Refused: if there are too many.
        """
        if self.open >= MOST_STREAMS:
            raise Refused(503, f"{MOST_STREAMS} look on already", {b"Retry-After": b"10"})
        return MessageStream(self)


@implementer(IPushProducer)
class MessageStream:
    """One."""

    def __init__(self, taps: Taps) -> None:
        self._taps = taps
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._paused = False
        self._timer: Any = None
        self._stuck: Stuck | None = None
        self._request: Any = None

    def start(self, request: AdminRequest) -> None:
        """Begin to answer a request."""
        self._request = request
        request.responseHeaders.setRawHeaders(b"Content-Type", [b"application/jsonl"])
        if request.method == b"HEAD":
            request.finish()
            return
        self._taps.open += 1
        self._end = self._taps.tap(self._happened)
        request.notifyFinish().addBoth(self._over)
        request.registerProducer(self, True)
        request.write(b"\n")
        self._later(ALIVE)

    def pauseProducing(self) -> None:
        self._paused = True
        if self._stuck is None:
            self._stuck = Stuck(self._request)

    def resumeProducing(self) -> None:
        self._paused = False
        if self._stuck is not None:
            self._stuck.stop()
            self._stuck = None

    def stopProducing(self) -> None:
        """Nobody is there any more; L{_over} follows."""

    def _happened(self, comes: bool, peer: Any, ppid: int, data: bytes) -> None:
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self._lost += 1
        told = {"time": round(time.time(), 6), "in": comes, "peer": None if peer is None else str(peer), "ppid": ppid}
        self._waiting.append(dumped(told | {"data": data.hex()}) + b"\n")
        if len(self._waiting) == 1 and self._timer is not None:
            self._timer.cancel()
            self._later(QUIET)

    def _later(self, seconds: float) -> None:
        self._timer = self._request.channel.callLater(seconds, self._tell)

    def _tell(self) -> None:
        if not self._paused:
            lost = [dumped({"lost": self._lost}) + b"\n"] if self._lost else []
            piece = b"".join([*lost, *self._waiting]) or b"\n"
            self._waiting.clear()
            self._lost = 0
            self._request.write(piece)
        self._later(QUIET if self._waiting else ALIVE)

    def _over(self, result: Any) -> None:
        self._taps.open -= 1
        self._end()
        if self._stuck is not None:
            self._stuck.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
