"""A request at an element, from when it comes until it is answered."""

from __future__ import annotations

from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.private import REQUEST_FAILED, encode_failure
from rserpool.session.links import Link


class Asked:
    """A request that waits for its answer.

    @ivar number: unique in the session, also after a failover.
    @ivar repeated: whether another element was given this request before, and may have done what it asks.
    """

    __slots__ = ("_link", "number", "repeated")

    def __init__(self, link: Link, number: int, repeated: bool) -> None:
        self._link = link
        self.number = number
        self.repeated = repeated

    def reply(self, data: bytes) -> None:
        """Answer it; nothing happens if the session is not here any more.

        @raise ValueError: if the answer is too long for the transport.
        """
        if not self._link.over:
            self._link.send_reply(self.number, data)

    def fail(self, reason: str) -> None:
        """Tell the user that it cannot be answered, here and anywhere else: it is given to no other element.

        @param reason: a sentence; the user's L{ElementError<rserpool.core.errors.ElementError>} has it.
        """
        if not self._link.over:
            failed = ErrorCause(REQUEST_FAILED, encode_failure(self.number, reason))
            self._link.answered += 1
            self._link.send_control(asap.Error((failed,)))

    @property
    def can_fail(self) -> bool:
        """Whether the user can be told so."""
        return self._link.traits.control
