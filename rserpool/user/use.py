"""What an element is given: a request, a connection, a session; counted for the policies that go by load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rserpool.core.user.pool_user import PoolUser


class Closable(Protocol):
    """What ends with the pool user over which it was opened."""

    def close(self) -> object:
        """Begin to end it."""


class Use:
    """One of them, under way from now on.

    @param instead_of: see L{PoolUser.begin<rserpool.core.user.pool_user.PoolUser.begin>}.
    """

    def __init__(
        self, user: PoolUser | None = None, handle: bytes = b"", identifier: int = 0, instead_of: int = 0
    ) -> None:
        self._user = user
        self._handle = handle
        self._identifier = identifier
        if user is not None:
            user.begin(self, handle, identifier, instead_of)

    def accepted(self, over: Callable[[], bool] | None = None) -> None:
        """The element has accepted.

        @param over: tells, whenever it is called, whether it is over; None if L{end} will be called.
        """
        if self._user is not None:
            self._user.accepted(self, self._handle, self._identifier, over)

    def end(self) -> None:
        """It is over, or was not accepted."""
        if self._user is not None:
            self._user.end(self)
