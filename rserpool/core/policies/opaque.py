"""A policy that is not known here, such as a private one of another implementation (RFC 5356 section 7.1)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import M, Policy, T
from rserpool.core.policies.rr import RoundRobinSelection


class Opaque(Policy):
    """Keeps the elements that other registrars own under such a policy; selects them round robin."""

    name = "unknown"
    abbreviation = "?"

    def __init__(self, number: int) -> None:
        self.number = number

    def selection(self, random: Dice) -> RoundRobinSelection[M]:
        return RoundRobinSelection()

    def user_order(self, elements: Sequence[T], turn: int, random: Dice) -> list[T]:
        return list(elements)  # as the registrar, which may know better, returned them
