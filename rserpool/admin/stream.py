"""Events as a stream (Server-Sent Events): an answer without end. Who reads too slowly loses some, and hears so."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from rserpool.admin.answers import Refused, dumped
from rserpool.admin.history import History
from rserpool.admin.site import AdminRequest, Stuck

MOST: Final = 64
"""So many streams at once."""
QUIET: Final = 0.2
"""Seconds that pass between two pieces of a stream: what happens meanwhile is told together."""
AT_ONCE: Final = 500
"""So many events are in a piece, at most; those before them are lost."""
ALIVE: Final = 15.0
"""Seconds after which a comment is sent, where nothing happens: who is gone is noticed."""


class Streams:
    """Those of one interface.

    @ivar open: how many there are.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.open = 0

    def stream(self, after: int) -> Stream:
        """A new one.

        @param after: the number of the last event that the reader has seen.
        @raise Refused: if there are too many.
        """
        if self.open >= MOST:
            raise Refused(503, f"{MOST} streams are open already", {b"Retry-After": b"10"})
        return Stream(self, after)


@implementer(IPushProducer)
class Stream:
    """One."""

    def __init__(self, streams: Streams, after: int) -> None:
        self._streams = streams
        self._after = after
        self._paused = False
        self._timer: Any = None
        self._alive: Any = None
        self._request: Any = None

    def start(self, request: AdminRequest) -> None:
        """Begin to answer a request."""
        self._request = request
        headers = request.responseHeaders
        headers.setRawHeaders(b"Content-Type", [b"text/event-stream"])
        if request.method == b"HEAD":
            request.finish()
            return
        self._streams.open += 1
        self._stuck: Stuck | None = None
        request.notifyFinish().addBoth(self._over)
        request.registerProducer(self, True)
        self._end = self._streams.history.watch(self._happened)
        request.write(b"retry: 2000\n\n")
        self._later(0.0)
        self._keep_alive()

    def pauseProducing(self) -> None:
        self._paused = True
        if self._stuck is None:
            self._stuck = Stuck(self._request)

    def resumeProducing(self) -> None:
        self._paused = False
        if self._stuck is not None:
            self._stuck.stop()
            self._stuck = None
        self._happened()

    def stopProducing(self) -> None:
        """Nobody is there any more; L{_over} follows."""

    def _happened(self) -> None:
        if not self._paused and self._timer is None and self._after != self._streams.history.last:
            self._later(QUIET)

    def _later(self, seconds: float) -> None:
        self._timer = self._request.channel.callLater(seconds, self._tell)

    def _tell(self) -> None:
        self._timer = None
        if self._paused:
            return
        events, lost = self._streams.history.after(self._after)
        self._after = self._streams.history.last
        if len(events) > AT_ONCE:
            lost += len(events) - AT_ONCE
            events = events[-AT_ONCE:]
        piece = [b"event: lost\ndata: %s\n\n" % dumped({"lost": lost})] if lost else []
        piece += [event.written for event in events]
        if piece:
            self._request.write(b"".join(piece))

    def _keep_alive(self) -> None:
        self._alive = self._request.channel.callLater(ALIVE, self._keep_alive)
        if not self._paused:
            self._request.write(b": here\n\n")

    def _over(self, result: Any) -> None:
        self._streams.open -= 1
        self._end()
        if self._stuck is not None:
            self._stuck.stop()
        for timer in (self._timer, self._alive):
            if timer is not None and timer.active():
                timer.cancel()
