"""A pool as one of its users sees it."""

from __future__ import annotations

from rserpool.core.user.events import PoolChanged
from rserpool.core.wire.parameters import PoolElementParameter


class Seen:
    """What a user is told of a pool.

    @ivar elements: the elements now, by PE identifier.
    @ivar history: each state that was told: the identifiers in ascending order; None while there was no such pool.
    """

    def __init__(self) -> None:
        self.elements: dict[int, PoolElementParameter] = {}
        self.history: list[tuple[int, ...] | None] = []

    def changed(self, change: PoolChanged) -> None:
        """The pool is different now."""
        self.elements = {element.identifier: element for element in change.elements or ()}
        self.history.append(None if change.elements is None else tuple(sorted(self.elements)))
