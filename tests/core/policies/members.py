"""Members for tests of selections, and counting what is selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

from rserpool.core.policies import Member, Policy, Selection, parse


class Named(Member):
    """A member with a name, and no more."""

    __slots__ = ("name",)

    def __init__(self, name: str, *values: int) -> None:
        self.name = name
        self.values = values

    def __repr__(self) -> str:
        return f"{self.name}{self.values}"


def named(values: Iterable[Sequence[int]]) -> list[Named]:
    """Members A, B, C ... with these values."""
    return [Named(chr(ord("A") + number), *each) for number, each in enumerate(values)]


def by_name(name: str) -> Policy:
    """The policy of this name or abbreviation."""
    return parse(name).policy


def filled(name: str, members: Iterable[Named], seed: int = 1) -> Selection[Named]:
    """A selection of the policy of this name with these members."""
    selection: Selection[Named] = by_name(name).selection(Random(seed))
    for member in members:
        selection.add(member)
    return selection


def names(members: Iterable[Named]) -> str:
    """Their names in a row."""
    return "".join(member.name for member in members)


def picks(selection: Selection[Named], requests: int, count: int = 1) -> list[str]:
    """The answers to some requests, as names."""
    return [names(selection.select(count)) for _ in range(requests)]


def tally(selection: Selection[Named], requests: int) -> Counter[str]:
    """How often each member was the one selected."""
    return Counter(picks(selection, requests))


def chi_square(found: Counter[str], expected: dict[str, float]) -> float:
    """Pearson's statistic; what was not expected at all makes it infinite."""
    if any(not expected.get(name) for name, count in found.items() if count):
        return float("inf")
    return sum((found[name] - count) ** 2 / count for name, count in expected.items() if count)
