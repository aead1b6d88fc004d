"""Events as a stream (Server-Sent Events): an answer without end. Who reads too slowly loses some, and hears so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rserpool.admin.answers import Refused, dumped
from rserpool.admin.endless import Endless
from rserpool.admin.history import History

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


class Stream(Endless):
    """One."""

    kind = b"text/event-stream"

    def __init__(self, streams: Streams, after: int) -> None:
        super().__init__(streams)
        self._history = streams.history
        self._after = after

    def begin(self) -> Callable[[], object]:
        end = self._history.watch(self._happened)
        self.write(b"retry: 2000\n\n")
        self.later(0.0, self._tell)
        self.later(ALIVE, self._keep_alive)
        return end

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._happened()

    def _happened(self) -> None:
        if not self.paused and not self.waits(self._tell) and self._after != self._history.last:
            self.later(QUIET, self._tell)

    def _tell(self) -> None:
        if self.paused:
            return
        events, lost = self._history.after(self._after)
        self._after = self._history.last
        if len(events) > AT_ONCE:
            lost += len(events) - AT_ONCE
            events = events[-AT_ONCE:]
        piece = [b"event: lost\ndata: %s\n\n" % dumped({"lost": lost})] if lost else []
        piece += [event.written for event in events]
        if piece:
            self.write(b"".join(piece))

    def _keep_alive(self) -> None:
        self.later(ALIVE, self._keep_alive)
        if not self.paused:
            self.write(b": here\n\n")
