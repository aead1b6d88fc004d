"""Straight lines through points, and exponents: lines through their logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from math import log


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """The slope and the value at 0 of the line with the least squares."""
    count = len(xs)
    x, y = sum(xs) / count, sum(ys) / count
    spread = sum((one - x) ** 2 for one in xs)
    slope = sum((one - x) * (other - y) for one, other in zip(xs, ys, strict=True)) / spread if spread else 0.0
    return slope, y - slope * x


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """By which power of the size a value grows; None where that cannot be said."""
    points = [(log(size), log(value)) for size, value in zip(sizes, values, strict=True) if value > 0]
    if len(points) < 2:
        return None
    return line([x for x, _ in points], [y for _, y in points])[0]
