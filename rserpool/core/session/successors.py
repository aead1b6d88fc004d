"""Whom a session goes on to: the policy's order, or that of a business card (RFC 5352 section 3.9)."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.wire.asap import BusinessCard
from rserpool.core.wire.parameters import PoolElementParameter


class Successors:
    """What one session knows about who may serve it.

    A business card names elements; the registrar says which of them are of the pool, and where they are. So a card
    leads nobody to a place that is not of the pool, and a dead element is passed over as soon as it is removed.

    @ivar exclusive: whether the elements that were named are the only ones (a last will).
    @ivar gone: the element that was lost last: it is tried last.
    @ivar refusals: what each element said that did not take the session's cookie.
    """

    def __init__(self, handle: bytes) -> None:
        self._handle = handle
        self._named: tuple[int, ...] = ()
        self._known: dict[int, PoolElementParameter] = {}
        self.exclusive = False
        self.gone = 0
        self.refusals: dict[int, str] = {}

    def card(self, card: BusinessCard) -> bool:
        """BC2: an element's card came, in place of the one before; False if it is of another pool, and ignored."""
        if card.handle != self._handle:
            return False
        self._named = tuple(dict.fromkeys(element.identifier for element in card.elements))
        self.exclusive = card.exclusive and bool(self._named)
        return True

    def resolved(self, elements: Sequence[PoolElementParameter]) -> None:
        """The pool is like this, in the order of its policy."""
        self._known = {element.identifier: element for element in elements}

    def candidates(self) -> tuple[PoolElementParameter, ...]:
        """Whom to try, in order."""
        order = [identifier for identifier in self._named if identifier in self._known]
        if not self.exclusive:
            named = set(order)
            order += [identifier for identifier in self._known if identifier not in named]
        order.sort(key=lambda identifier: identifier == self.gone)
        return tuple(self._known[identifier] for identifier in order if identifier not in self.refusals)

    def hopeless(self) -> str | None:
        """Why none of the elements that the registrar knows now may be tried; None if another may still come."""
        if self._known and self.refusals and all(each in self.refusals for each in self._known):
            return f"no element takes the session's cookie: {'; '.join(self.refusals.values())}"
        if self.exclusive and not self.candidates():
            names = ", ".join(f"0x{identifier:08x}" for identifier in self._named)
            why = "; ".join(self.refusals.values()) or "none of them is in the pool any more"
            return f"the last will of its element names {names} alone: {why}"
        return None


def name(element: PoolElementParameter) -> str:
    """An element in a few words."""
    transport = element.user_transport
    return f"element 0x{element.identifier:08x} at {', '.join(transport.addresses)}:{getattr(transport, 'port', 0)}"
