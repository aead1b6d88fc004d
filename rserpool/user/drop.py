"""Which element serves which open connection; and the end of connections to elements that were removed.

A frozen peer keeps TCP up: only its registrar notices, and removes it. A user that wishes so then loses the connection
at once, and fails over. An element that left by itself may finish what it was asked; nothing new is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

from twisted.logger import Logger

from rserpool.core.handles import handle_text
from rserpool.core.user.events import PoolChanged, Resolved
from rserpool.core.user.places import serves_at
from rserpool.core.user.trying import GRACE
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.user.service import PoolUserService
from rserpool.user.subscriptions import Subscription

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

SETTLING = 5.0
"""A new home registrar may not know every element yet: for so many seconds (or two T2) it is not believed that an
element is gone which it never listed."""
CERTAIN = 400
"""An answer with so many elements may have been cut (a message holds 65,535 bytes): others may still be there."""

DYING = 5.0
"""Seconds that a connection in use has at most, where the registrar says that the element did not answer."""
LOOK = 0.25
"""Seconds between two looks at whether a connection is still in use."""

REMEMBERED = 50
"""So many closed connections are remembered, for reports that come after their end."""


@dataclass(slots=True, eq=False)
class _Connection:
    element: PoolElementParameter
    protocol: Callable[[], Any]
    transport: Callable[[], Any]
    listed_by: float | None
    """Which home registrar (by the time since when it is that) was seen to list the element."""
    until: float | None = None
    """When it ends at the latest, now that its element is gone."""

    @property
    def open(self) -> bool:
        return is_open(self.transport())


class Connections:
    """The connections that one endpoint made, none of them kept alive by this."""

    def __init__(self) -> None:
        # By the id of their protocol, the latest last: an id is another's only when that is gone.
        self._connections: dict[int, _Connection] = {}
        self._forget_at = 2 * REMEMBERED

    def add(self, element: PoolElementParameter, protocol: Any, listed_by: float | None) -> None:
        """A connection to the element is up."""
        known = self._connections.pop(id(protocol), None)
        if known is None or known.protocol() is not protocol:
            # Else it is used again.
            transport = getattr(protocol, "transport", None)
            known = _Connection(element, weak(protocol), weak(transport), listed_by)
        self._connections[id(protocol)] = known
        if len(self._connections) >= self._forget_at:
            # Rarely, so that each connection costs the same, however many are up.
            closed = [key for key, each in self._connections.items() if not each.open]
            for key in closed[:-REMEMBERED]:
                del self._connections[key]
            self._forget_at = 2 * max(REMEMBERED, len(self._connections))

    def element_of(self, protocol: Any) -> PoolElementParameter | None:
        """The element that serves this protocol, or that of the same peer, where another protocol wraps ours."""
        found = self._connections.get(id(protocol))
        if found is not None and found.protocol() is protocol:
            return found.element
        transport = getattr(protocol, "transport", None)
        peer = None if transport is None else transport.getPeer()
        host, port = getattr(peer, "host", None), getattr(peer, "port", None)
        for connection in reversed(self._connections.values()):
            if serves_at(connection.element, host, port):
                return connection.element
        return None

    @property
    def any_open(self) -> bool:
        """Whether one is up."""
        return any(connection.open for connection in reversed(self._connections.values()))

    @property
    def open(self) -> list[_Connection]:
        """Those that are up."""
        return [connection for connection in self._connections.values() if connection.open]


class Drop:
    """Aborts the connections to elements that the registrar removed.

    An element that the registrar still knows, but never hands out (weight 0, say), counts as one that left.

    @param grace: seconds that a connection in use has, when its element has left.
    @param spare: whether the connection of a protocol is in use; None where that is not known.
    @param dropped: called with the protocol of such a connection, and whether the element died, instead of all this.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        handle: bytes,
        connections: Connections,
        *,
        grace: float = GRACE,
        spare: Callable[[Any], bool] | None = None,
        dropped: Callable[[Any, bool], object] | None = None,
    ) -> None:
        self._user = user
        self._handle = handle
        self._connections = connections
        self._dropped = dropped
        self._spare = spare
        self._grace = grace
        self._dead: frozenset[int] = frozenset()
        self._subscription: Subscription | None = None
        self._present: frozenset[int] | None = None
        self._again: IDelayedCall | None = None
        self._settling = max(SETTLING, 2 * user.profile.t2_registration)

    def watch(self) -> None:
        """There is a connection: watch the pool, until there is none."""
        if self._subscription is None:
            self._subscription = self._user.subscribe(self._handle, self._changed)

    def ended(self) -> None:
        """A connection has ended: there may be none any more."""
        if self._subscription is not None and not self._connections.any_open:
            self.rest()

    def _changed(self, change: PoolChanged) -> None:
        elements = change.elements or ()
        self._dead |= frozenset(change.dead)
        if len(elements) >= CERTAIN:
            self._present = None
            return
        self._present = frozenset(element.identifier for element in elements)
        self._dead -= self._present
        self._review()

    def _review(self) -> None:
        self._look_no_more()
        open_ = self._connections.open
        if not open_:
            self.rest()
            return
        if self._present is None:
            return
        now, home_since = self._user.now(), self._user.home_since
        for connection in open_:
            if connection.element.identifier in self._present:
                connection.listed_by, connection.until = home_since, None
            elif home_since is not None and (connection.listed_by == home_since or now >= home_since + self._settling):
                self._end(connection, now)
            else:
                self._look_again((now if home_since is None else home_since) + self._settling - now)

    def _end(self, connection: _Connection, now: float) -> None:
        # Who never came to a new registrar did not leave by itself either.
        dead = connection.element.identifier in self._dead or connection.listed_by != self._user.home_since
        if self._dropped is not None:
            self._dropped(connection.protocol(), dead)
            return
        in_use = not dead if self._spare is None else self._spare(connection.protocol())
        until = now + (min(self._grace, DYING) if dead else self._grace)
        connection.until = until if connection.until is None else min(until, connection.until)
        if in_use and now < connection.until:
            left = connection.until - now
            self._look_again(left if self._spare is None else min(left, LOOK))
        else:
            self._abort(connection)

    def _look_again(self, seconds: float) -> None:
        if self._again is None:
            self._again = self._user.reactor.callLater(seconds, self._review)
        elif self._again.getTime() > self._user.reactor.seconds() + seconds:
            self._again.reset(seconds)

    def _look_no_more(self) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        self._again = None

    def _abort(self, connection: _Connection) -> None:
        self._log.info(
            "element 0x{identifier:08x} of pool {pool!r} was removed: its connection is dropped",
            identifier=connection.element.identifier,
            pool=handle_text(self._handle),
        )
        transport = connection.transport()
        abort = getattr(transport, "abortConnection", None) or getattr(transport, "abort", None)
        if abort is not None:
            abort()

    def rest(self) -> None:
        """Watch no more, until there is another connection."""
        if self._subscription is not None:
            self._subscription.stop()
            self._subscription = None
        self._present, self._dead = None, frozenset()
        self._look_no_more()


def listed_by(user: PoolUserService, resolved: Resolved) -> float | None:
    """Which home registrar (by the time since when it is that) said so; None if it was an earlier one."""
    since = user.home_since
    return since if since is not None and user.now() - resolved.age >= since else None


def is_open(transport: Any) -> bool:
    """Whether a connection is up, whatever wraps it."""
    if transport is None:
        return False
    while transport is not None:
        # Over SCTP the association knows; it may carry a stream of bytes. TLS stands upon another transport.
        established = getattr(transport, "established", None)
        if established is not None:
            return bool(established)
        if not getattr(transport, "connected", True):
            return False
        transport = getattr(transport, "transport", None)
    return True


def weak(thing: Any) -> Callable[[], Any]:
    """A reference to a thing that does not keep it alive, if it can be had."""
    try:
        return ref(thing)
    except TypeError:
        return lambda: None
