"""What an element that left the pool may still answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Retired:
    """One such element.

    @ivar who: in a few words.
    @ivar numbers: the requests that it was given.
    @ivar unnumbered: those whose answers have no number, in order.
    """

    who: str
    numbers: list[int]
    unnumbered: deque[int]
