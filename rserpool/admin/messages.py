"""The messages of a role as they come and go, a JSON object a line, for operators: C{rserpool trace --admin}."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from rserpool.admin.answers import Refused, dumped
from rserpool.admin.endless import Endless

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


class MessageStream(Endless):
    """One."""

    kind = b"application/jsonl"

    def __init__(self, taps: Taps) -> None:
        super().__init__(taps)
        self._tap = taps.tap
        self._waiting: deque[bytes] = deque()
        self._lost = 0

    def begin(self) -> Callable[[], object]:
        end = self._tap(self._happened)
        self.write(b"\n")
        self.later(ALIVE, self._tell)
        return end

    def _happened(self, comes: bool, peer: Any, ppid: int, data: bytes) -> None:
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self._lost += 1
        told = {"time": round(time.time(), 6), "in": comes, "peer": None if peer is None else str(peer), "ppid": ppid}
        self._waiting.append(dumped(told | {"data": data.hex()}) + b"\n")
        if len(self._waiting) == 1 and self.waits(self._tell):
            self.later(QUIET, self._tell)

    def _tell(self) -> None:
        if not self.paused:
            lost = [dumped({"lost": self._lost}) + b"\n"] if self._lost else []
            piece = b"".join([*lost, *self._waiting]) or b"\n"
            self._waiting.clear()
            self._lost = 0
            self.write(piece)
        self.later(QUIET if self._waiting else ALIVE, self._tell)
