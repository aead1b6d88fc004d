"""Re-synchronisation with one peer: take its own elements, drop what it does not have (RFC 5353 section 3.6.3)."""

from __future__ import annotations

from rserpool.handlespace.element import Element


class Audit:
    """One re-synchronisation that is under way.

    @ivar marked: the peer's elements that it has not mentioned so far, as keys of a dict (ordered).
    @ivar answer_by: when the next response is due (monotonic seconds).
    """

    __slots__ = ("answer_by", "marked")

    def __init__(self, elements: list[Element], answer_by: float) -> None:
        # 3.6.3 (1): mark every element that the peer owns.
        self.marked: dict[Element, None] = dict.fromkeys(elements)
        self.answer_by = answer_by

    def mentioned(self, element: Element) -> None:
        """3.6.3 (4): remove the mark."""
        self.marked.pop(element, None)

    def unmentioned(self, peer: int) -> list[Element]:
        """3.6.3 (5): what is still marked, and still the peer's."""
        return [element for element in self.marked if element.home == peer]
