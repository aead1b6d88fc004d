"""Which question an ASAP_ERROR is about (RFC 5352 section 2.2.14): it does not say so itself."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.errors import CauseCode
from rserpool.core.wire.asap import HandleResolution
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.parameters import pool_handle


def discarded(causes: Sequence[ErrorCause]) -> ErrorCause | None:
    """The cause for which a question was not answered; None if all are of what was skipped, or of another message."""
    for cause in causes:
        head = cause.information[:2]
        if cause.code == CauseCode.UNRECOGNIZED_MESSAGE and head and head[0] != HandleResolution.TYPE:
            continue
        # RFC 5354 section 3: 11 in the high bits has a parameter skipped, and reported.
        if cause.code == CauseCode.UNRECOGNIZED_PARAMETER and head and head[0] >> 6 == 3:
            continue
        return cause
    return None


def about(cause: ErrorCause, asked: Sequence[bytes]) -> bytes | None:
    """The pool that the question was about: one that the cause quotes, or else the one that was asked first.

    @param asked: the pools that were asked about and not answered, in that order; a registrar answers in it, too.
    """
    quoted = (handle for handle in asked if pool_handle(handle) in cause.information)
    return next(quoted, asked[0] if asked else None)
