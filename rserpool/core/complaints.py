"""Which request an ASAP_ERROR is about (RFC 5352 section 2.2.14): it does not say so itself."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.errors import CauseCode
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.parameters import pool_handle

_LAST_MESSAGE = 0x0F
"""Parameters have types that begin with a zero, or with more than this."""


def discarded(causes: Sequence[ErrorCause], *kinds: int) -> ErrorCause | None:
    """The cause for which a request was not answered; None if all are of what was skipped, or of another message.

    @param kinds: the types of messages that the request may be.
    """
    for cause in causes:
        head = cause.information[:2]
        # A message is a TLV, too.
        if head and 0 < head[0] <= _LAST_MESSAGE and head[0] not in kinds:
            continue
        # RFC 5354 section 3: 11 in the high bits has a parameter skipped, and reported.
        if cause.code == CauseCode.UNRECOGNIZED_PARAMETER and head and head[0] >> 6 == 3:
            continue
        return cause
    return None


def about(cause: ErrorCause, asked: Sequence[bytes]) -> bytes | None:
    """The pool that the request was about: one that the cause quotes, or else the one that was asked first.

    @param asked: the pools that were asked about and not answered, in that order; a registrar answers in it, too.
    """
    quoted = (handle for handle in asked if pool_handle(handle) in cause.information)
    return next(quoted, asked[0] if asked else None)
