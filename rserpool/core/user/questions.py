"""What a pool user has asked about a pool, and watches (RFC 5352 sections 3.3 and 2.2.5)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from rserpool.core.backoff import Backoff
from rserpool.core.effects import Effect, Notify
from rserpool.core.frozen import frozen
from rserpool.core.user.events import PoolChanged
from rserpool.core.wire.parameters import PoolElementParameter

PAUSES = Backoff(0.1, 2.0)
"""Until a registrar is asked again that could not answer yet."""
UNKNOWN = Backoff(0.1, 0.5)
"""Until a registrar is asked again for a pool that it does not know, while somebody waits for that."""
LATE = 0.01
"""Seconds after which an answer is late: worth asking the transport whether the registrar is still there, then after
twice as long each time. A process that is killed may read a request, and be gone 5 to 10 ms later: SCTP itself would
find out by its retransmission."""


@dataclass(slots=True)
class Lateness:
    """Whether a home registrar is asked for a sign of life: perhaps a request was the last thing that it read before it
    was killed. Many late answers are no more than one: it may be slow with all of them.

    @ivar late: whether one has just been missed.
    """

    late: bool = False
    _asked: float = -LATE

    def asks(self, now: float) -> bool:
        """Whether it is, now that all timers are looked at which are due."""
        late, self.late = self.late and now >= self._asked + LATE, False
        if late:
            self._asked = now
        return late


@frozen
class Request:
    """Who waits for an answer.

    @ivar items: for how many elements; None for all.
    @ivar fresh: whether the cache will not do.
    @ivar until: until when a pool that is unknown is waited for (monotonic seconds).
    """

    items: int | None
    fresh: bool
    until: float = 0.0


@dataclass(slots=True)
class Question:
    """One resolution under way, for everybody who waits for this pool.

    @ivar requests: who waits.
    @ivar asked: how many elements each request asked for that was sent and not answered, oldest first.
    @ivar unanswered: how many times T1 expired.
    @ivar pause: how long the last pause was after which a registrar was asked again that could not answer; 0 for none.
    @ivar unknown: whether a registrar said that there is no such pool, and somebody waits for it all the same.
    @ivar information: what a registrar that could not answer said beside that.
    @ivar patience: how long the answer may still take before it is late once more.
    """

    requests: dict[Hashable, Request] = field(default_factory=dict)
    asked: list[int | None] = field(default_factory=list)
    unanswered: int = 0
    pause: float = 0.0
    patience: float = LATE
    unknown: bool = False
    information: bytes = b""

    def items(self, watched: Watched | None) -> int | None:
        """How many elements serve everybody; None for all."""
        wanted = [request.items for request in self.requests.values()]
        if watched is not None:
            # Its answer will be taken for the state of the pool, too.
            wanted.append(watched.items)
        numbers = [items for items in wanted if items is not None]
        return max(numbers) if numbers and len(numbers) == len(wanted) else None


@dataclass(slots=True)
class Watched:
    """A pool that is subscribed to.

    @ivar pause: how long the last pause was until it was asked for again, where no updates come; 0 for none.
    @ivar armed: whether the home registrar sends updates.
    @ivar shown: what was told last, if anything was.
    """

    items: int | None
    pause: float = 0.0
    armed: bool = False
    shown: dict[int, PoolElementParameter] | None = None
    told: bool = False

    def show(
        self,
        handle: bytes,
        policy: int,
        elements: tuple[PoolElementParameter, ...] | None,
        dead: tuple[int, ...] = (),
    ) -> list[Effect]:
        """Tell what the pool is like now, if that is new."""
        shown = None if elements is None else {element.identifier: element for element in elements}
        if self.told and shown == self.shown:
            return []
        self.shown, self.told = shown, True
        return [Notify(PoolChanged(handle, policy, elements, dead))]
