"""What happened to an element: who changes the handlespace returns it, and the registrar follows it in one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, TypeVar

from rserpool.core.effects import Effect
from rserpool.core.errors import CauseCode
from rserpool.core.frozen import frozen
from rserpool.core.handlespace.element import Element

T = TypeVar("T")


class Why(Enum):
    """Why an element left the handlespace; C{rserpool.core.authority} says who may cause it.

    @ivar text: what the operator reads.
    @ivar told: the causes that the element is told if we have an association with it; None: it is told nothing.
    """

    DEREGISTERED = "deregistered", None
    EXPIRED = "expired", ()
    SILENT = "unreachable", ()
    UNREACHABLE = "unreachable", None
    REPORTED = "reported unreachable", ()
    DELETED = "removed by its home", None
    DIED = "unreachable for its home", None
    UNMENTIONED = "unknown to its home", None
    REVOKED = "not authorized any more", (CauseCode.REJECTED_FOR_SECURITY,)
    EVICTED = "evicted by an operator", ()
    INCONSISTENT = "of another policy than its pool", (CauseCode.INCONSISTENT_POOLING_POLICY,)

    # An enum's own is a function of Python.
    __hash__ = object.__hash__

    def __init__(self, text: str, told: tuple[CauseCode, ...] | None) -> None:
        self.text = text
        self.told = told


@frozen
class Change:
    """Something happened to an element.

    @ivar home: whose it was from then on; by the time that a change is followed it may be another's.
    """

    element: Element
    home: int


@frozen
class Added(Change):
    """It is new."""


@frozen
class Renewed(Change):
    """It registered again, here or at another registrar.

    @ivar before: its home until now.
    @ivar other: whether users see any difference.
    """

    before: int
    other: bool = True


@frozen
class Moved(Change):
    """It has another home, by a takeover or a suggestion; C{before} was its home, 0 where nobody knew it."""

    before: int


@frozen
class Removed(Change):
    """It is gone."""

    why: Why


@frozen
class Suspected(Change):
    """An element of ours may be dead: it is to be asked."""


@frozen
class Doubted(Change):
    """An element of another registrar does not answer us: its home is to hear of it."""


@frozen
class Insisted(Change):
    """An element is ours, and the peers must hear it: one claims it, or we remove it in place of its home."""


@frozen
class Copied:
    """Many are new at once, all of them other registrars'."""

    elements: list[Element]


@dataclass(frozen=True, slots=True, eq=False)
class Later:
    """Much that is done bit by bit, so that others have their turn in between: each step when it is asked for.

    @ivar outcomes: what each step has for an outcome; None where it has none. It must look, each time, whether what it
        is about still is as it was.
    @ivar now: whether it begins in this turn; else what was done so far was enough.
    """

    outcomes: Iterator[Outcome | None]
    now: bool = True


def consumed(things: list[T]) -> Iterator[T]:
    """Each thing of a list, which is empty in the end: what was removed meanwhile is freed bit by bit, too."""
    things.reverse()
    while things:
        yield things.pop()


Outcome: TypeAlias = Effect | Change | Copied | Later
"""What a procedure returns, in order: effects, changes that have effects of their own, and more of both for later."""
