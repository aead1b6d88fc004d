"""What happens to elements, for those who look on: only while somebody does, and nothing for what changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rserpool.core.effects import Effect, Notify
from rserpool.core.frozen import frozen
from rserpool.core.handlespace.changes import (
    Added,
    Change,
    Doubted,
    Moved,
    Removed,
    Renewed,
    Suspected,
)
from rserpool.core.handlespace.element import Element

MOST: Final = 3
"""So many reporters are named."""


@frozen
class Observed:
    """Something happened to an element, at whatever registrar.

    @ivar kind: C{added}, C{changed}, C{moved}, C{removed}, C{suspected}, C{doubted} or C{reported}.
    @ivar home: its home from then on.
    @ivar why: in words, where there is more to say.
    @ivar wire: its encoded Pool Element parameter.
    """

    kind: str
    handle: bytes
    identifier: int
    home: int
    why: str = ""
    wire: bytes = b""


class Observer:
    """
    @ivar on: whether anybody looks on.
    """

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False

    def change(self, change: Change, reporters: Collection[str] = ()) -> list[Effect]:
        """A change was followed; to be called only if somebody looks on.

        @param reporters: machines, or identities, whose users could not reach it.
        """
        kind = _KINDS.get(type(change))
        if kind is None or (isinstance(change, Renewed) and not change.other and change.before == change.home):
            return []
        why = ""
        match change:
            case Removed(why=reason):
                why = reason.text
                if reporters:
                    more = ", ..." if len(reporters) > MOST else ""
                    why += f"; not reached by {', '.join(sorted(reporters)[:MOST])}{more}"
            case Moved(before=before) | Renewed(before=before) if before != change.home:
                kind, why = "moved", f"from registrar 0x{before:08x}"
            case Suspected():
                why = "its association is lost"
            case Doubted():
                why = "it does not answer us; its home is told"
        element = change.element
        return [Notify(Observed(kind, element.handle, element.identifier, change.home, why, element.wire))]

    def reported(self, element: Element, by: str) -> list[Effect]:
        """A user could not reach an element."""
        if not self.on:
            return []
        why = f"unreachable for {by}"
        return [Notify(Observed("reported", element.handle, element.identifier, element.home, why, element.wire))]


_KINDS: Final[dict[type[Change], str]] = {
    Added: "added",
    Renewed: "changed",
    Moved: "moved",
    Removed: "removed",
    Suspected: "suspected",
    Doubted: "doubted",
}
