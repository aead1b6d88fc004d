"""The clients of a proxy: each waits for an element, has one, and perhaps another if that was of no use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from rserpool.core.addresses import is_name
from rserpool.core.admission import Admission
from rserpool.core.errors import UnknownPool
from rserpool.core.handles import printable
from rserpool.core.user.places import describe
from rserpool.node.counting import CountedLog
from rserpool.proxy.relay import End
from rserpool.user.endpoint import PoolClientEndpoint

HALF_CLOSED = 60.0
"""Seconds without a byte after which a connection ends that one side has closed."""
IDLE = 2.0
"""A connection is in use while the client waits for an answer, and so many seconds after the last byte."""
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


class Clients(Factory):
    """Those of one proxy.

    @param limit: so many at once; then who comes from a machine with fewer gets the place of one of the machine with
        most, and anybody that of one for whom nothing was passed yet.
    @param timeout: seconds until one is given up for which no element accepts.
    @ivar welcome: whether another one may come.
    @ivar waiting: those for which the pool has no element.
    """

    noisy = False

    def __init__(self, endpoint: PoolClientEndpoint, limit: int, timeout: float, lines: CountedLog) -> None:
        self.counters = Counters()
        self.endpoint = endpoint
        self.reactor: Any = endpoint.user.reactor
        self.timeout = timeout
        self.welcome = True
        self.waiting: set[Client] = set()
        self._limit = limit
        self._lines = lines
        self._clients: set[Client] = set()
        self._admission: Admission[Client] = Admission(limit, limit)
        self._empty: Deferred[None] | None = None

    def buildProtocol(self, address: IAddress | None) -> End:
        return Client(self).end

    def empty(self) -> Deferred[None]:
        """Fires when the last one has left."""
        self._empty = Deferred()
        return self._empty

    def change(self, limit: int | None, timeout: float | None) -> None:
        """So many may come from now on, and wait so long; None leaves one as it is."""
        if timeout is not None:
            self.timeout = timeout
        if limit is not None:
            self._limit = self._admission.most = self._admission.most_of_one = limit

    def abort(self) -> None:
        """End every connection now."""
        for client in list(self._clients):
            client.abort()

    def end_idle(self) -> None:
        """End politely what is not in use."""
        for client in [client for client in self._clients if not client.in_use]:
            client.end.close()

    def pool_is_back(self) -> None:
        """There is an element again."""
        waiting, self.waiting = self.waiting, set()
        for client in waiting:
            client.pool_is_back()

    def came(self, client: Client) -> bool:
        """A client is there; whether it may stay."""
        counters = self.counters
        counters.accepted += 1
        room, victim = self._admission.room(client.host, self.reactor.seconds())
        if victim is not None:
            # Nothing was passed for it, or its machine has most.
            self._admission.goes(victim)
            victim.abort()
        if not room or not self.welcome:
            counters.refused += 1
            self._lines.warn(
                "beyond the limit", "{who}: there are {limit} connections already", who=client.name, limit=self._limit
            )
            client.abort()
            return False
        counters.open += 1
        self._admission.comes(client, client.host, self.reactor.seconds())
        self._clients.add(client)
        return True

    def gone(self, client: Client) -> None:
        """A client has left."""
        if client in self._clients:
            self._clients.discard(client)
            self._admission.goes(client)
            self.counters.open -= 1
        if not self._clients and self._empty is not None and not self._empty.called:
            self._empty.callback(None)

    def speaks(self, client: Client) -> None:
        """Something was passed for the first time."""
        self._admission.speaks(client)

    def again(self, end: End, reason: Failure) -> None:
        """An element accepted and closed at once."""
        self.counters.again += 1
        element = self.endpoint.element_of(end)
        if element is None:
            return
        self._lines.info(
            "tried again",
            "{element} closed at once: {why}",
            element=describe(element),
            why=printable(reason.getErrorMessage()),
        )
        if not reason.check(ConnectionDone):
            self.endpoint.report(element)

    def failed(self, client: Client, failure: Failure) -> None:
        """No element serves a client."""
        self.counters.failed += 1
        self._lines.warn(
            "without an element", "{who}: {why}", who=client.name, why=printable(failure.getErrorMessage())
        )


class Client:
    """One of them, and the element that serves it.

    @ivar host: the IP address that it comes from; that of this host for any other kind of connection.
    """

    host = "127.0.0.1"

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.end = End(self)
        self._element: End | None = None
        self._connecting: Deferred[Any] | None = None
        self._moved = 0
        self._answer_owed = False
        self._last = clients.reactor.seconds()
        self._timer: Any = None
        self._retries = RETRIES
        self._deadline = clients.reactor.seconds() + clients.timeout

    @property
    def name(self) -> str:
        """Where it comes from."""
        peer = self.end.transport.getPeer()
        host = getattr(peer, "host", None)
        return "a client" if host is None else f"{host}:{peer.port}"

    def up(self, end: End) -> None:
        if end is not self.end:
            return
        host = getattr(end.transport.getPeer(), "host", None)
        self.host = "127.0.0.1" if not host or is_name(host) else host
        if self._clients.came(self):
            self._dial()

    def passed(self, end: End, count: int) -> None:
        if not self._moved:
            self._clients.speaks(self)
        self._moved += count
        self._answer_owed = end is self.end
        self._last = self._clients.reactor.seconds()
        counters = self._clients.counters
        if end is self.end:
            counters.to_elements += count
        else:
            counters.from_elements += count

    @property
    def in_use(self) -> bool:
        """Whether the client seems to wait for something: it came or spoke last, or bytes came just now."""
        quiet = self._clients.reactor.seconds() - self._last
        return self._element is None or self._answer_owed or quiet < IDLE

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
            self._timer = self._clients.reactor.callLater(HALF_CLOSED, self._look, self._moved)

    def _look(self, moved: int) -> None:
        self._timer = None
        if self._moved == moved:
            self.abort()
        else:
            self._wait_for_the_other()

    @property
    def _useless(self) -> bool:
        """Whether an element that closes now has been of no use, and another may be."""
        return not self._moved and self.end.open and not self.end.ended and self._retries > 0

    def lost(self, end: End, reason: Failure) -> None:
        if end is self.end:
            self._clients.gone(self)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._clients.waiting.discard(self)
            if self._connecting is not None:
                self._connecting.cancel()
        elif end is self._element:
            self._element = None
            if self._useless:
                self._again(end, reason)

    def abort(self) -> None:
        """End both connections at once."""
        self.end.abort()

    def _dial(self) -> None:
        factory = Factory.forProtocol(lambda: End(self))
        factory.noisy = False
        self._connecting = self._clients.endpoint.connect(factory)
        self._connecting.addCallbacks(self._connected, self._failed)

    def _connected(self, end: End) -> None:
        self._connecting = None
        if not self.end.open:
            end.abort()
        elif not end.open:
            # It is lost already.
            self._again(end, Failure(ConnectionDone()))
        else:
            self._element = end
            self._last = self._clients.reactor.seconds()
            self.end.join(end)

    def _again(self, end: End, reason: Failure) -> None:
        """No byte was passed: the client need not know that it was another element."""
        self._retries -= 1
        end.part()
        self.end.pauseProducing()
        self._clients.again(end, reason)
        self._dial()

    def _failed(self, failure: Failure) -> None:
        self._connecting = None
        if not self.end.open:
            return
        left = self._deadline - self._clients.reactor.seconds()
        if failure.check(UnknownPool) and left > 0 and self._timer is None:
            # The pool is empty now; who comes next is here for this client.
            self._clients.waiting.add(self)
            self._timer = self._clients.reactor.callLater(left, self._give_up, failure)
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
        self._clients.failed(self, failure)
        self.end.abort()


def in_use(end: End) -> bool:
    """Whether an element may be sending, or about to send, what a client asked for."""
    return not isinstance(end.owner, Client) or end.owner.in_use
