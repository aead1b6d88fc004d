"""A pool as those see it who can use some of its addresses alone: from elsewhere, nobody reaches a loopback address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rserpool.core.addresses import scope
from rserpool.core.dice import Dice
from rserpool.core.handlespace.element import Element
from rserpool.core.policies import Asker, Member, Policy, Selection
from rserpool.core.wire.parameters import OpaqueTransport, SctpTransport, encode_pool_element

AT_ONCE = 64
"""So many elements of a pool are looked at when it is asked for: the view of a large one is complete after a few."""


class Seen(Member):
    """An element, as it is seen.

    @ivar wire: its encoded Pool Element parameter, with the addresses that can be used.
    """

    __slots__ = ("wire",)

    def __init__(self, values: tuple[int, ...], wire: bytes) -> None:
        self.values = values
        self.wire = wire


class View:
    """Its elements, with a selection of their own: who cannot be used does not count, and nobody is counted twice.

    @param sees: the scopes of addresses that can be used.
    @param elements: those of the pool; later ones are told by L{put} and L{drop}.
    """

    __slots__ = ("_left", "_sees", "_seen", "_selection")

    def __init__(self, policy: Policy, random: Dice, sees: frozenset[str], elements: Iterable[Element]) -> None:
        self._sees = sees
        self._selection: Selection[Seen] = policy.selection(random)
        self._seen: dict[int, Seen] = {}
        self._left = list(elements)
        self._left.reverse()

    def put(self, element: Element) -> None:
        """An element came, or registered again."""
        wire = _usable(element, self._sees)
        seen = self._seen.get(element.identifier)
        if wire is None:
            self.drop(element.identifier)
        elif seen is None:
            seen = self._seen[element.identifier] = Seen(element.values, wire)
            self._selection.add(seen)
        else:
            seen.values, seen.wire = element.values, wire
            self._selection.update(seen)

    def moved(self, element: Element) -> None:
        """An element has another home."""
        seen, wire = self._seen.get(element.identifier), _usable(element, self._sees)
        if seen is not None and wire is not None:
            seen.wire = wire

    def drop(self, identifier: int) -> None:
        """An element left."""
        seen = self._seen.pop(identifier, None)
        if seen is not None:
            self._selection.remove(seen)

    def choose(self, elements: dict[int, Element], items: int, asker: Asker, *, moving: bool) -> list[bytes]:
        """Choose elements that can be used; their parameters.

        @param elements: those that are in the pool.
        @param moving: whether this is a resolution, which moves heads and counters.
        """
        for element in (self._left.pop() for _ in range(min(AT_ONCE, len(self._left)))):
            if elements.get(element.identifier) is element and element.identifier not in self._seen:
                self.put(element)
        choose = self._selection.select if moving else self._selection.peek
        return [seen.wire for seen in choose(items, asker)]


def _usable(element: Element, sees: frozenset[str]) -> bytes | None:
    """The element's parameter with the addresses that can be used, or None where there is none."""
    if sees.issuperset(element.scopes):
        return element.wire
    parameter = element.parameter()
    transport = parameter.user_transport
    if isinstance(transport, OpaqueTransport):
        return element.wire
    addresses = tuple(address for address in transport.addresses if scope(address) in sees)
    if not addresses:
        return None
    if isinstance(transport, SctpTransport) and addresses != transport.addresses:
        usable = replace(transport, addresses=addresses)
        return encode_pool_element(replace(parameter, user_transport=usable, owner=None))
    return element.wire
