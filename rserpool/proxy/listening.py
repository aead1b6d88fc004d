"""Where a proxy accepts connections, as options name it."""

from __future__ import annotations

from typing import Any

from rserpool.core.errors import ConfigurationError


def server_endpoint(reactor: Any, text: str) -> Any:
    """The server endpoint that a string of Twisted names; a port alone is a TCP port at 127.0.0.1.

    @raise ConfigurationError: if it is none.
    """
    where = f"tcp:{text}:interface=127.0.0.1" if text.isascii() and text.isdigit() else text
    # It loads TLS: only who listens pays for it.
    from twisted.internet.endpoints import serverFromString

    try:
        endpoint = serverFromString(reactor, where)
        port = getattr(endpoint, "_port", 0)
        if isinstance(port, int) and not 0 <= port < 65536:
            raise ValueError("a port is a number from 0 to 65535")
        return endpoint
    except Exception as error:
        raise ConfigurationError(
            f"{text!r} is no server endpoint; write for example tcp:8080 or unix:/run/www ({error})"
        ) from None
