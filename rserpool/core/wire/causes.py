"""Error causes and the Operation Error parameter (RFC 5354 section 3.12)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from rserpool.core.errors import CauseCode, WireError
from rserpool.core.frozen import frozen
from rserpool.core.wire.private import REQUEST_FAILED, decode_failure
from rserpool.core.wire.tlv import LONGEST, OPERATION_ERROR, container, parameter, parameters

MOST_CAUSES: Final = 64
"""So many causes are read of one message."""


@frozen
class ErrorCause:
    """One error cause.

    @ivar code: a L{CauseCode<rserpool.core.errors.CauseCode>}, or a number that RFC 5354 does not name.
    @ivar information: the cause-specific information: a TLV, or nothing.
    """

    code: int
    information: bytes = b""


def encode_operation_error(causes: Iterable[ErrorCause]) -> bytes:
    """The Operation Error parameter, padded.

    @param causes: at least one.
    @raise ValueError: if there is none.
    @raise struct.error: if they are longer than a 16-bit length holds.
    """
    encoded = [parameter(cause.code, cause.information) for cause in causes]
    if not encoded:
        raise ValueError("an Operation Error parameter needs an error cause")
    return container(OPERATION_ERROR, b"", encoded)


def decode_operation_error(data: bytes, start: int, stop: int) -> tuple[ErrorCause, ...]:
    """The causes in an Operation Error parameter; never empty, and L{MOST_CAUSES} at most: what is beyond is ignored.

    @raise WireError: if a cause does not fit, or there is none.
    """
    causes = tuple(
        ErrorCause(code, data[offset + 4 : end])
        for code, offset, end in islice(parameters(data, start + 4, stop, start), MOST_CAUSES)
    )
    if not causes:
        raise WireError("an Operation Error parameter has no error cause", information=data[start:stop])
    return causes


def cause_of(error: WireError) -> ErrorCause:
    """The cause by which to answer what C{decode} refused; ask C{error.report} first whether to answer at all."""
    return ErrorCause(error.cause, error.information)


def unrecognized_parameters(tlvs: Iterable[bytes]) -> tuple[ErrorCause, ...]:
    """The causes that report skipped parameters (RFC 5354 section 3.12.2), as many as one message holds.

    @param tlvs: C{Decoded.unrecognized}.
    """
    causes = []
    room = LONGEST - 20
    for tlv in tlvs:
        room -= 4 + len(tlv) + 3 & ~3
        if room < 0:
            break
        causes.append(ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, tlv))
    return tuple(causes)


def request_failure(causes: Iterable[ErrorCause]) -> tuple[int, str] | None:
    """The number of the request at which an element's application failed, and a sentence; None if they say no such."""
    found = (decode_failure(cause.information) for cause in causes if cause.code == REQUEST_FAILED)
    return next((each for each in found if each is not None), None)
