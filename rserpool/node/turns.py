"""Fair turns: so many messages are served before the loop looks at others, and who sends many waits for its turn
(RFC 5352 section 9.1, threat 8).

What a peer sends is served in the order in which it came; among those that wait, one message of each machine is served
after the other, and among those of a machine one of each association.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from rserpool.core.addresses import machine
from rserpool.node.loop import Carrier, Loop, Timer
from rserpool.sctp.base import A_TURN, PIECE, tell
from rserpool.sctp.log import LimitedLog

MOST_OF_ONE = 4 * 1024 * 1024
"""Bytes of one peer that wait for their turn; who sends more meanwhile is cut off."""
MOST = 64 * 1024 * 1024
"""Bytes of all peers together; who has most of them is cut off."""


class Turns:
    """Those of one loop.

    @ivar left: so many messages may be served yet before somebody else has a turn.
    @ivar waiting: what waits: by machine, and by association.
    @ivar held: those that read too slowly what we send: they are served when they have caught up.
    """

    def __init__(self, loop: Loop, log: LimitedLog) -> None:
        self._loop = loop
        self._log = log
        self._timer: Timer | None = None
        self._size = 0
        self._of: dict[Carrier, _Backlog] = {}
        self.left = A_TURN
        self.waiting: dict[str, dict[Carrier, _Backlog]] = {}
        self.held: set[Carrier] = set()

    def keep(self, carrier: Carrier, data: bytes, serve: Callable[[Any, bytes], object]) -> None:
        """A message waits for its turn; then it is served."""
        backlog = self._of.get(carrier)
        if backlog is None:
            backlog = self._of[carrier] = _Backlog(machine(carrier.peer.hosts[0]), serve)
            _read(carrier, False)
        if carrier not in self.held:
            self.waiting.setdefault(backlog.where, {}).setdefault(carrier, backlog)
        size = max(len(data), PIECE)
        backlog.messages.append(data)
        backlog.size += size
        self._size += size
        if backlog.size > MOST_OF_ONE:
            self._cut(carrier, backlog)
        elif self._size > MOST:
            self._cut(*max(self._of.items(), key=lambda each: each[1].size))
        self._arm()

    def over(self) -> None:
        """All that may be served in this turn was served: another one begins soon."""
        self._arm()

    def hold(self, carrier: Carrier) -> None:
        """It reads too slowly: nothing is served to it until L{release}."""
        self.held.add(carrier)
        backlog = self._of.get(carrier)
        if backlog is None:
            _read(carrier, False)
        else:
            self._take_out(carrier, backlog)

    def release(self, carrier: Carrier) -> None:
        """It has caught up."""
        if carrier not in self.held:
            return
        self.held.discard(carrier)
        backlog = self._of.get(carrier)
        if backlog is None:
            _read(carrier, True)
        else:
            self.waiting.setdefault(backlog.where, {})[carrier] = backlog
            self._arm()

    def lost(self, carrier: Carrier, tell: Callable[[Any], object], served: bool) -> None:
        """It is gone, which is told when all was served that it had sent.

        @param served: whether that is to be served.
        """
        self.release(carrier)
        backlog = self._of.get(carrier)
        if backlog is not None and not served:
            self._drop(carrier, backlog)
            backlog = None
        if backlog is None:
            tell(carrier)
        else:
            backlog.lost = tell

    def stop(self) -> None:
        """Serve nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.waiting.clear()
        self._of.clear()
        self.held.clear()

    def _turn(self) -> None:
        self._timer = None
        self.left = A_TURN
        while self.waiting and self.left > 0:
            self.left -= 1
            where, there = next(iter(self.waiting.items()))
            carrier, backlog = next(iter(there.items()))
            # Both go to the end, if they come again.
            del self.waiting[where], there[carrier]
            data = backlog.messages.popleft()
            size = max(len(data), PIECE)
            backlog.size -= size
            self._size -= size
            if backlog.messages:
                there[carrier] = backlog
            else:
                del self._of[carrier]
            if there:
                self.waiting[where] = there
            tell(self._log, backlog.serve, carrier, data)
            if not backlog.messages:
                self._served(carrier, backlog)
        if self.waiting:
            self._arm()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(0, self._turn)

    def _served(self, carrier: Carrier, backlog: _Backlog) -> None:
        """Nothing of it waits any more."""
        if backlog.lost is not None:
            tell(self._log, backlog.lost, carrier)
        elif carrier not in self.held:
            _read(carrier, True)

    def _cut(self, carrier: Carrier, backlog: _Backlog) -> None:
        self._log.warn("{peer} asks faster than it can be served: closed", peer=str(carrier.peer))
        self._drop(carrier, backlog)
        if backlog.lost is None:
            carrier.abort()
        else:
            backlog.lost(carrier)

    def _drop(self, carrier: Carrier, backlog: _Backlog) -> None:
        self._size -= backlog.size
        del self._of[carrier]
        self._take_out(carrier, backlog)

    def _take_out(self, carrier: Carrier, backlog: _Backlog) -> None:
        there = self.waiting.get(backlog.where, {})
        there.pop(carrier, None)
        if not there:
            self.waiting.pop(backlog.where, None)


def _read(carrier: Carrier, on: bool) -> None:
    """Over TCP a peer can be held back."""
    change = getattr(carrier, "start_reading" if on else "stop_reading", None)
    if change is not None:
        change()


class _Backlog:
    """What one association has sent and was not served.

    @ivar where: its machine.
    @ivar lost: what is called when the last of it was served; None while the association is there.
    """

    __slots__ = ("lost", "messages", "serve", "size", "where")

    def __init__(self, where: str, serve: Callable[[Any, bytes], object]) -> None:
        self.where = where
        self.serve = serve
        self.messages: deque[bytes] = deque()
        self.size = 0
        self.lost: Callable[[Any], object] | None = None
