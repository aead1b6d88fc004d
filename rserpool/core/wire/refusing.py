"""The response to a request that cannot be decoded: it is due all the same (RFC 5352 sections 3.1 rule 5, 3.2, 3.3)."""

from __future__ import annotations

from contextlib import suppress

from rserpool.core.errors import WireError
from rserpool.core.wire import asap
from rserpool.core.wire.causes import cause_of
from rserpool.core.wire.tlv import PE_IDENTIFIER, POOL_ELEMENT, POOL_HANDLE, U32, parameters


def refuse(data: bytes, error: WireError) -> asap.Message | None:
    """What a registrar answers; None where it is no request, or says nothing of whom it is about.

    @param data: what could not be decoded; handle and PE identifier are taken from it as far as they can be read.
    """
    if not data or data[0] not in _REQUESTS:
        return None
    handle: bytes | None = None
    identifier = 0
    with suppress(WireError):
        for kind, start, stop in parameters(data, 4, len(data)):
            if kind == POOL_HANDLE and handle is None:
                handle = data[start + 4 : stop]
            elif kind in (POOL_ELEMENT, PE_IDENTIFIER) and stop - start >= 8 and not identifier:
                identifier = U32.unpack_from(data, start + 4)[0]
    causes = (cause_of(error),)
    if data[0] == asap.HandleResolution.TYPE:
        return None if handle is None else asap.HandleResolutionResponse(handle, causes=causes)
    if handle is None and not identifier:
        return None
    if data[0] == asap.Registration.TYPE:
        return asap.RegistrationResponse(handle or b"", identifier, True, causes)
    return asap.DeregistrationResponse(handle or b"", identifier, causes)


_REQUESTS = frozenset((asap.Registration.TYPE, asap.Deregistration.TYPE, asap.HandleResolution.TYPE))
