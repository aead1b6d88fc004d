"""What a pool user knows of a pool, has asked about it, and watches (RFC 5352 sections 3.3 and 2.2.5)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from rserpool.core.wire.parameters import PoolElementParameter

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
LATE = 0.03
"""Seconds after which an answer is late: worth asking the transport whether the registrar is still there, which finds
out sooner than SCTP's retransmissions, and costs a slow registrar next to nothing."""
NOT_YET = 5.0
"""Where an earlier registrar knew a pool, "unknown" means "not yet" for so many seconds: all registrars may have been
restarted, and the elements register again by themselves."""


@dataclass(slots=True)
class Known:
    """The cache entry of one pool; C{items} is how many elements were asked for.

    @ivar moved: whether the registrar that gave it is not the home any more.
    @ivar unknown_since: when a later home said for the first time that it knows no such pool.
    """

    policy: int
    elements: tuple[PoolElementParameter, ...]
    received: float
    items: int | None
    turn: int = 0
    moved: bool = False
    unknown_since: float | None = None

    def serves(self, items: int | None) -> bool:
        """Whether it holds all that an answer for C{items} elements would hold."""
        return covers(self.items, items) or (self.items is not None and len(self.elements) < self.items)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits for an answer."""

    deadline: float
    items: int | None
    fresh: bool


@dataclass(slots=True)
class Question:
    """One resolution under way, for everybody who waits for this pool.

    C{asked} holds how many elements each request asked for that was sent and not answered, oldest first.
    At C{late_at} its answer is late, and after C{patience} more seconds still late.
    """

    waiting: dict[Hashable, Waiting] = field(default_factory=dict)
    asked: list[int | None] = field(default_factory=list)
    unanswered: int = 0
    refused: int = 0
    answer_by: float | None = None
    again_at: float | None = None
    late_at: float | None = None
    patience: float = LATE

    def unsent(self) -> None:
        """What was sent is not waited for any more."""
        self.asked.clear()
        self.answer_by = self.again_at = self.late_at = None


@dataclass(slots=True)
class Subscription:
    """A pool that is watched.

    @ivar pause: how long to wait until it is asked for again, where no updates come.
    @ivar armed: whether the home registrar sends updates.
    @ivar shown: what was told last, if anything was.
    """

    items: int | None
    pause: float
    armed: bool = False
    again_at: float | None = None
    shown: dict[int, PoolElementParameter] | None = None
    told: bool = False

    def ask_later(self, now: float) -> None:
        """No updates come now: ask again, a little later each time."""
        self.armed = False
        self.again_at = now + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE)


def covers(asked: int | None, items: int | None) -> bool:
    """Whether a request for C{asked} elements gives enough for who wants C{items}."""
    return asked is None or (items is not None and items <= asked)
