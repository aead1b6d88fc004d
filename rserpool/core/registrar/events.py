"""What a registrar tells its operator about elements and users."""

from __future__ import annotations

from dataclasses import dataclass

from rserpool.core.effects import Association
from rserpool.core.wire.causes import ErrorCause


@dataclass(frozen=True, slots=True)
class ElementRegistered:
    """A new element of ours is in the handlespace."""

    handle: bytes
    identifier: int


@dataclass(frozen=True, slots=True)
class ElementRemoved:
    """An element left the handlespace; C{why} is the text of a L{Why<rserpool.core.handlespace.changes.Why>}."""

    handle: bytes
    identifier: int
    why: str


@dataclass(frozen=True, slots=True)
class SupervisionStretched:
    """Keep-alives go out every C{interval} seconds instead of the profile's: there are C{elements} elements."""

    interval: float
    elements: int


@dataclass(frozen=True, slots=True)
class ErrorReported:
    """An element or user reported an error."""

    association: Association
    causes: tuple[ErrorCause, ...]
