"""TLS to elements for programs without Twisted: whose certificate is expected, and what a wrong one means."""

from __future__ import annotations

import ssl

from rserpool.core.user.trying import NotAccepted, PassedOver


def check_name(context: ssl.SSLContext | bool | None, server_hostname: str | None) -> None:
    """Refuse TLS without a name: an element's address is no identity (RFC 5355 section 2.7).

    @raise ValueError: if TLS is wanted and no name is given, or the other way round.
    """
    if context and not server_hostname:
        raise ValueError("ssl goes with server_hostname: the name that the certificates of the pool's elements bear")
    if server_hostname and not context:
        raise ValueError("server_hostname goes with ssl")


def why_not(error: OSError, seconds: float) -> NotAccepted | PassedOver:
    """What it means for the choice of elements that one could not be connected to.

    Who has a wrong certificate is passed over, and not reported: it may be the user who is wrong.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return PassedOver(f"its certificate is not good: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return PassedOver(f"TLS failed: {error.reason or error}")
    late = isinstance(error, TimeoutError) and not str(error)
    return NotAccepted(f"no answer within {seconds:g} s" if late else str(error))
