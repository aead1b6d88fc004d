"""A tile at its user: what is there of it, and when the element has failed. Messages and time go in, effects out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TypeAlias

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.services.fractal.messages import Data, Parameter
from rserpool.services.wants import Anew, Completed, Elsewhere, Say

SILENCE = 10.0
"""Seconds after which an element that says nothing has failed; rsplib's says something each second, if a point takes
less."""


@frozen
class Painted:
    """Points are there.

    @ivar index: the first, counted from the upper left, row by row.
    """

    index: int
    steps: Sequence[int]


Effect: TypeAlias = Say | Painted | Elsewhere | Anew | Completed


class WantedTile:
    """One tile. All times are monotonic seconds.

    @ivar parameter: what it is.
    @ivar steps: for each point how many it takes to be outside.
    @ivar missing: how many points are not there yet.
    @ivar repeated: how many points came more than once.
    """

    def __init__(self, parameter: Parameter, *, silence: float = SILENCE) -> None:
        size = parameter.width * parameter.height
        self.parameter = parameter
        self.steps = array("I", bytes(4 * size))
        self.missing = size
        self.repeated = 0
        self._there = bytearray(size)
        self._silence = silence
        self._heard_by: float | None = None

    def served(self, resumed: bool, now: float) -> list[Effect]:
        """An element serves.

        @param resumed: whether it was given the state that another one left, which says all.
        """
        self._heard_by = now + self._silence
        return [] if resumed else [Say(self.parameter.encode())]

    def receive(self, data: bytes, now: float) -> list[Effect]:
        """A message came."""
        if self._heard_by is None:
            return []
        try:
            points = Data.decode(data)
            if points is None:
                return self._complete()
            return self._put(points, now)
        except WireError as error:
            return self._leave(str(error), strange=True)

    def tick(self, now: float) -> list[Effect]:
        """Time went by."""
        if self._heard_by is None or now < self._heard_by:
            return []
        return self._leave(f"it has said nothing for {self._silence:g} s")

    def next_deadline(self) -> float | None:
        """When L{tick} is due; None for never."""
        return self._heard_by

    def _put(self, points: Data, now: float) -> list[Effect]:
        begin = points.y * self.parameter.width + points.x
        end = begin + len(points.steps)
        if points.x >= self.parameter.width or end > len(self.steps):
            raise WireError(f"no points of this tile: {len(points.steps)} at {points.x}, {points.y}")
        self._heard_by = now + self._silence
        there = self._there[begin:end].count(1)
        self.repeated += there
        self.missing -= end - begin - there
        self._there[begin:end] = b"\1" * (end - begin)
        self.steps[begin:end] = array("I", points.steps)
        return [Painted(begin, points.steps)]

    def _complete(self) -> list[Effect]:
        self._heard_by = None
        if self.missing:
            # rsplib's elements leave cookies that are ahead of the points that they have sent.
            return [Anew(f"a tile is said to be complete, and {self.missing} points of it are missing")]
        return [Completed()]

    def _leave(self, why: str, strange: bool = False) -> list[Effect]:
        self._heard_by = None
        return [Elsewhere(why, strange=strange)]
