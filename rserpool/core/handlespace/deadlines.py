"""When each element must be looked at next: expiry (RFC 5352 section 2.2.1) and supervision (section 3.5).

Most deadlines are put off again and again before they come: an element acknowledges, or registers again. Putting
off moves nothing; the element is put in its new place when its old time comes.
"""

from __future__ import annotations

from math import inf
from operator import attrgetter
from typing import Final

from rserpool.core.handlespace.element import Element
from rserpool.core.policies.order import Order

_QUEUED: Final = attrgetter("queued")


class ElementDeadlines:
    """At most one deadline for each element, in C{Element.wake}; times are monotonic seconds."""

    __slots__ = ("_order", "_sequence")

    def __init__(self) -> None:
        self._order: Order[Element] = Order(_QUEUED)
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._order)

    def set(self, element: Element, when: float) -> None:
        """Let an element be due at C{when}, in place of any earlier word; infinity is the same as L{discard}."""
        element.wake = when
        queued = element.queued
        if queued is not None:
            if queued[0] <= when < inf:
                return
            self._order.remove(element)
            element.queued = None
        if when < inf:
            self._put(element)

    def discard(self, element: Element) -> None:
        """Forget an element, when it is deregistered or needs no deadline."""
        self.set(element, inf)

    def due(self, now: float) -> list[Element]:
        """Take out the elements whose time has come, in order of time."""
        elements = []
        head = self._head()
        while head is not None and head.wake <= now:
            self._order.remove(head)
            head.queued = None
            head.wake = inf
            elements.append(head)
            head = self._head()
        return elements

    def next(self) -> float | None:
        """The time of the earliest deadline; C{None} if there is none."""
        head = self._head()
        return None if head is None else head.wake

    def _head(self) -> Element | None:
        """The earliest element, when those that stand where they were before being put off have been moved."""
        while head := self._order.first(1):
            element = head[0]
            if element.queued is None or element.wake <= element.queued[0]:
                return element
            self._order.remove(element)
            self._put(element)
        return None

    def _put(self, element: Element) -> None:
        self._sequence += 1
        element.queued = (element.wake, self._sequence)
        self._order.add(element)
