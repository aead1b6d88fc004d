"""What users of services want next, as the pure parts of these say it, for L{rserpool.services.errand} to do."""

from __future__ import annotations

from typing import Any, Protocol

from rserpool.core.frozen import frozen


@frozen
class Say:
    """Send a message to the element."""

    data: bytes


@frozen
class Elsewhere:
    """Go on at another element.

    @ivar failed: whether this one has failed: it is reported.
    @ivar strange: whether it said something that is not of this service.
    """

    why: str
    failed: bool = True
    strange: bool = False


@frozen
class Completed:
    """All is done."""


@frozen
class Anew:
    """Begin anew, without what is left of the session."""

    why: str


class Wants(Protocol):
    """Something that elements are to do, at its user. All times are monotonic seconds."""

    def served(self, resumed: bool, now: float) -> list[Any]:
        """An element serves.

        @param resumed: whether it was given the state that another one left.
        """

    def receive(self, data: bytes, now: float) -> list[Any]:
        """A message came."""

    def tick(self, now: float) -> list[Any]:
        """Time went by."""

    def next_deadline(self) -> float | None:
        """When C{tick} is due; None for never."""
