"""What a pool user notifies its user of, besides what every role does."""

from __future__ import annotations

from collections.abc import Hashable

from rserpool.core.errors import RSerPoolError
from rserpool.core.frozen import frozen
from rserpool.core.wire.asap_users import fills_answer
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.parameters import PoolElementParameter


@frozen
class Resolved:
    """A resolution succeeded.

    @ivar request: the token that was given to C{resolve}.
    @ivar policy: the policy type of the pool (RFC 5356).
    @ivar elements: in the order in which the policy wants them tried; those that just failed come last.
    @ivar age: seconds since a registrar said so.
    """

    request: Hashable
    handle: bytes
    policy: int
    elements: tuple[PoolElementParameter, ...]
    age: float

    @property
    def first(self) -> int:
        """The identifier of the first element, which is taken to be given the request; 0 if there is none."""
        return self.elements[0].identifier if self.elements else 0

    @property
    def cut(self) -> bool:
        """Whether the answer was full (65,535 bytes), so that the pool may have more elements."""
        return fills_answer(self.handle, self.elements)


@frozen
class ResolutionFailed:
    """A resolution failed: L{UnknownPool}, another L{Rejected}, or L{NoRegistrar}."""

    request: Hashable
    handle: bytes
    error: RSerPoolError


@frozen
class ErrorReceived:
    """The home registrar reported an error; a question that it discarded has failed."""

    causes: tuple[ErrorCause, ...]


@frozen
class PoolChanged:
    """A subscribed pool is now like this; C{elements} is None while no registrar knows it.

    @ivar dead: the identifiers of those that are gone because they did not answer, where the registrar says so; others
        have left by themselves, and may finish what they were asked.
    """

    handle: bytes
    policy: int
    elements: tuple[PoolElementParameter, ...] | None
    dead: tuple[int, ...] = ()
