"""The random source that roles and policies are given: the part of C{random.Random} that they use."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T")


class Dice(Protocol):
    """Any C{random.Random} will do; tests pass one with a seed."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def getrandbits(self, k: int, /) -> int:
        """A number in [0, 2**k)."""

    def randrange(self, start: int, /) -> int:
        """A number in [0, start)."""

    def uniform(self, a: float, b: float) -> float:
        """A number from a to b."""

    def sample(self, population: Sequence[_T], k: int) -> list[_T]:
        """C{k} of the population, none twice, in random order."""

    def shuffle(self, x: MutableSequence[Any], /) -> None:
        """Put into random order, in place."""
