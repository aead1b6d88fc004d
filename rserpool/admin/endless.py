"""An answer without end: somebody reads for as long as it likes, and who reads nothing is cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from rserpool.admin.site import AdminRequest, Stuck


class Counting(Protocol):
    """Those of one kind.

    @ivar open: how many there are.
    """

    open: int


@implementer(IPushProducer)
class Endless:
    """One; what it tells, and when, says who inherits it.

    @ivar kind: the type of its content.
    @ivar paused: whether its reader has enough for now.
    """

    kind: bytes

    def __init__(self, among: Counting) -> None:
        self.paused = False
        self._among = among
        self._stuck: Stuck | None = None
        self._timers: dict[Callable[[], object], Any] = {}
        self._request: Any = None

    def start(self, request: AdminRequest) -> None:
        """Begin to answer a request."""
        self._request = request
        request.responseHeaders.setRawHeaders(b"Content-Type", [self.kind])
        if request.method == b"HEAD":
            request.finish()
            return
        self._among.open += 1
        request.notifyFinish().addBoth(self._over)
        request.registerProducer(self, True)
        self._end = self.begin()

    def begin(self) -> Callable[[], object]:
        """Begin to tell; it is returned what ends that."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Tell."""
        self._request.write(data)

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Have this called, once; not any more when nobody is there."""
        if self.waits(call):
            self._timers[call].cancel()
        self._timers[call] = self._request.channel.callLater(seconds, call)

    def waits(self, call: Callable[[], object]) -> bool:
        """Whether it is to be called."""
        return call in self._timers and self._timers[call].active()

    def pauseProducing(self) -> None:
        self.paused = True
        if self._stuck is None:
            self._stuck = Stuck(self._request)

    def resumeProducing(self) -> None:
        self.paused = False
        if self._stuck is not None:
            self._stuck.stop()
            self._stuck = None

    def stopProducing(self) -> None:
        """Nobody is there any more; L{_over} follows."""

    def _over(self, result: Any) -> None:
        self._among.open -= 1
        self._end()
        if self._stuck is not None:
            self._stuck.stop()
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
