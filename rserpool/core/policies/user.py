"""The pool user's side of the policies: in which order it tries what the registrar returned (RFC 5356)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.dice import Dice
from rserpool.core.policies.base import UserOrder
from rserpool.core.wire.parameters import PoolElementParameter as Element


def as_returned(elements: Sequence[Element], turn: int, random: Dice) -> list[Element]:
    """Sections 5.1.3 to 5.3.3: the registrar, which may know better, has sorted them."""
    return list(elements)


def rotated(elements: Sequence[Element], turn: int, random: Dice) -> list[Element]:
    """Sections 4.1.3 and 4.2.3: start one further at each request."""
    start = turn % len(elements) if elements else 0
    return [*elements[start:], *elements[:start]]


def shuffled(elements: Sequence[Element], turn: int, random: Dice) -> list[Element]:
    """Sections 4.3.3, 4.4.3 and 5.4.3: any element, all alike; the registrar has weighed them already."""
    order = list(elements)
    random.shuffle(order)
    return order


def highest_first(number: int) -> UserOrder:
    """Section 4.5.3: the user too MUST take the highest, whatever order it was told them in.

    @param number: the policy type whose first value counts; elements of another one come last.
    """

    def value(element: Element) -> int:
        policy = element.policy
        return int.from_bytes(policy.data[:4], "big") if policy.type == number and len(policy.data) >= 4 else -1

    def order(elements: Sequence[Element], turn: int, random: Dice) -> list[Element]:
        return sorted(elements, key=value, reverse=True)

    return order
