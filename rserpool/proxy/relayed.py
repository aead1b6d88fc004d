"""One client of a proxy: it waits for an element, has one, and perhaps another one if that was of no use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from rserpool.core.errors import UnknownPool
from rserpool.proxy.relay import End
from rserpool.user.endpoint import PoolClientEndpoint

HALF_CLOSED = 60.0
"""Seconds without a byte after which a connection ends that one side has closed."""
RETRIES = 3
"""An element that accepts and closes before any byte was passed is no good: so many times another is tried."""


@dataclass(slots=True)
class Counters:
    """What a proxy has done so far.

    @ivar accepted: connections that came.
    @ivar open: those that are up now.
    @ivar refused: those that came beyond the limit.
    @ivar failed: those for which no element was found.
    @ivar again: how often an element accepted and closed at once, and another was tried.
    @ivar to_elements: bytes.
    @ivar from_elements: bytes.
    """

    accepted: int = 0
    open: int = 0
    refused: int = 0
    failed: int = 0
    again: int = 0
    to_elements: int = 0
    from_elements: int = 0

    def __str__(self) -> str:
        return (
            f"{self.accepted} connections ({self.open} open, {self.refused} beyond the limit, {self.failed} without "
            f"an element, {self.again} tried again), {self.to_elements} bytes to elements, "
            f"{self.from_elements} bytes from elements"
        )


class Proxy(Protocol):
    """Whose client it is: a L{ProxyService<rserpool.proxy.service.ProxyService>}."""

    reactor: Any
    endpoint: PoolClientEndpoint
    counters: Counters
    timeout: float
    waiting: set[Relayed]

    def came(self, relayed: Relayed) -> bool:
        """A client is there; whether it may stay."""

    def gone(self, relayed: Relayed) -> None:
        """A client has left."""

    def again(self, end: End, reason: Failure) -> None:
        """An element accepted and closed at once."""

    def failed(self, relayed: Relayed, failure: Failure) -> None:
        """No element serves a client."""


class Relayed:
    """One client, and the element that serves it."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.client = End(self)
        self._element: End | None = None
        self._connecting: Deferred[Any] | None = None
        self._moved = 0
        self._timer: Any = None
        self._retries = RETRIES
        self._deadline = proxy.reactor.seconds() + proxy.timeout

    def up(self, end: End) -> None:
        if end is self.client and self._proxy.came(self):
            self._dial()

    def passed(self, end: End, count: int) -> None:
        self._moved += count
        counters = self._proxy.counters
        if end is self.client:
            counters.to_elements += count
        else:
            counters.from_elements += count

    def ended(self, end: End) -> bool:
        """One side sends no more; whether this is taken care of."""
        if end is self._element and self._useless:
            self._element = None
            self._again(end, Failure(ConnectionDone()))
            end.close()
            return True
        self._wait_for_the_other()
        return False

    def _wait_for_the_other(self) -> None:
        """One side has closed, perhaps for good: the other is not waited for if nothing comes from it."""
        if self._timer is None:
            self._timer = self._proxy.reactor.callLater(HALF_CLOSED, self._look, self._moved)

    def _look(self, moved: int) -> None:
        self._timer = None
        if self._moved == moved:
            self.abort()
        else:
            self._wait_for_the_other()

    @property
    def _useless(self) -> bool:
        """Whether an element that closes now has been of no use, and another may be."""
        return not self._moved and self.client.open and not self.client.ended and self._retries > 0

    def lost(self, end: End, reason: Failure) -> None:
        if end is self.client:
            self._proxy.gone(self)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._proxy.waiting.discard(self)
            if self._connecting is not None:
                self._connecting.cancel()
        elif end is self._element:
            self._element = None
            if self._useless:
                self._again(end, reason)

    def abort(self) -> None:
        """End both connections at once."""
        self.client.abort()

    def _dial(self) -> None:
        factory = Factory.forProtocol(lambda: End(self))
        factory.noisy = False
        self._connecting = self._proxy.endpoint.connect(factory)
        self._connecting.addCallbacks(self._connected, self._failed)

    def _connected(self, end: End) -> None:
        self._connecting = None
        if not self.client.open:
            end.abort()
        elif not end.open:
            # It is lost already.
            self._again(end, Failure(ConnectionDone()))
        else:
            self._element = end
            self.client.join(end)

    def _again(self, end: End, reason: Failure) -> None:
        """No byte was passed: the client need not know that it was another element."""
        self._retries -= 1
        end.part()
        self.client.pauseProducing()
        self._proxy.again(end, reason)
        self._dial()

    def _failed(self, failure: Failure) -> None:
        self._connecting = None
        if not self.client.open:
            return
        left = self._deadline - self._proxy.reactor.seconds()
        if failure.check(UnknownPool) and left > 0 and self._timer is None:
            # The pool is empty now; who comes next is here for this client.
            self._proxy.waiting.add(self)
            self._timer = self._proxy.reactor.callLater(left, self._give_up, failure)
            return
        self._give_up(failure)

    def pool_is_back(self) -> None:
        """There is an element again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._dial()

    def _give_up(self, failure: Failure) -> None:
        self._timer = None
        self._proxy.failed(self, failure)
        self.client.abort()
