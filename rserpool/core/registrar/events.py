"""What a registrar tells its operator about elements and users."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_text
from rserpool.core.wire.causes import ErrorCause

if TYPE_CHECKING:
    from rserpool.core.handlespace.element import Element


@frozen
class ElementRegistered:
    """A new element of ours is in the handlespace.

    @ivar element: it, as it is while this is told; None where nobody says.
    """

    handle: bytes
    identifier: int
    element: Element | None = field(default=None, compare=False, repr=False)


@frozen
class ElementRemoved:
    """An element left the handlespace; C{why} is the text of a L{Why<rserpool.core.handlespace.changes.Why>}.

    @ivar element: it, as it was; None where nobody says.
    @ivar reporters: machines, or identities, whose users could not reach it.
    """

    handle: bytes
    identifier: int
    why: str
    element: Element | None = field(default=None, compare=False, repr=False)
    reporters: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


@frozen
class RegistrationRefused:
    """In a plain scope: an element may not register so; what is refused in a secured one, the trail says.

    @ivar peer: from where; None if that is not known.
    @ivar evicted: whether an operator wants it so.
    """

    handle: bytes
    identifier: int
    peer: TransportAddress | None
    cause: int
    why: str
    evicted: bool = False


@frozen
class AddressesRefused:
    """An element wanted to register addresses of which none is its association's (RFC 5352 section 2.2.1).

    @ivar wanted: they.
    @ivar seen: those from which it comes: behind a translator (NAT), those of that.
    """

    handle: bytes
    identifier: int
    wanted: tuple[str, ...]
    seen: tuple[str, ...]


@frozen
class NotYetRequired:
    """TLS was to be required, and that would lose what still comes in the clear.

    @ivar elements: so many elements have no owner.
    @ivar some: a few of them: pools and PE identifiers.
    @ivar registrars: the identifiers of the registrars that speak in the clear.
    """

    elements: int
    some: tuple[tuple[bytes, int], ...]
    registrars: tuple[int, ...]

    def __str__(self) -> str:
        parts = []
        if self.elements:
            named = ", ".join(f"{handle_text(handle)} 0x{identifier:08x}" for handle, identifier in self.some)
            more = ", ..." if self.elements > len(self.some) else ""
            parts.append(f"elements that nobody has proved to own: {self.elements} ({named}{more})")
        if self.registrars:
            named = ", ".join(f"0x{identifier:08x}" for identifier in self.registrars)
            parts.append(f"registrars that speak in the clear: {named}")
        return "; ".join(parts)


@frozen
class SupervisionStretched:
    """Keep-alives go out every C{interval} seconds instead of the profile's: there are C{elements} elements.

    One costs C{cost} seconds of processor time; with what associations take by themselves, which is the part C{fixed}
    of a core, all together may take the part C{share}.
    """

    interval: float
    elements: int
    cost: float
    share: float
    fixed: float

    @property
    def part(self) -> float:
        """The part of a core that all of it takes."""
        return self.fixed + self.elements * self.cost / self.interval


@frozen
class ErrorReported:
    """An element or user reported an error."""

    association: Association
    causes: tuple[ErrorCause, ...]


@frozen
class DrainAnswered:
    """An element drains, or serves again, as an operator wanted.

    @ivar refused: why not, as a sentence; empty if it does.
    @ivar connections: how many connections it has yet; None where that is not known yet.
    @ivar pool: whether there is such a pool.
    """

    handle: bytes
    identifier: int
    drains: bool
    refused: str = ""
    connections: int | None = None
    pool: bool = True


@frozen
class DrainingEnded:
    """An element that drained serves again (C{why} is empty), or is gone."""

    handle: bytes
    identifier: int
    why: str


@frozen
class Retired:
    """This registrar has handed all its elements over, C{elements} of them; it may end.

    @ivar refused: why not, as a sentence; empty if it has.
    """

    elements: int
    refused: str = ""
