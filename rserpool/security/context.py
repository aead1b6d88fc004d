"""Which way to OpenSSL this Python has.

Pre-shared keys are in C{ssl} since Python 3.13 (L{rserpool.security.standard}); before, in the binding on which
pyOpenSSL stands (L{rserpool.security.binding}).
"""

from __future__ import annotations

import ssl

from rserpool.core.errors import ConfigurationError
from rserpool.security.way import Context, Terms


def make_context(terms: Terms) -> Context:
    """Prepare one end.

    @raise ConfigurationError: if a certificate cannot be used, or no OpenSSL that does keys is to be had.
    """
    if hasattr(ssl.SSLContext, "set_psk_client_callback"):
        from rserpool.security.standard import StandardContext

        return StandardContext(terms)
    try:
        from rserpool.security.binding import BoundContext
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"pre-shared keys need Python 3.13, or pyOpenSSL and cryptography: {error}") from None
    return BoundContext(terms)
