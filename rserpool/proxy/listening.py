"""Where a proxy accepts connections, as options name it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from rserpool.core.errors import ConfigurationError


def server_endpoint(reactor: Any, text: str) -> Any:
    """The server endpoint that a string of Twisted names; C{HOST:PORT} is a TCP port at that IP address of this host,
    and a port alone one at 127.0.0.1.

    @raise ConfigurationError: if it is none.
    """
    where = _as_string(text)
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
            f"{text!r} is no server endpoint; write for example 8080, 127.0.0.1:8080 or unix:/run/www ({error})"
        ) from None


def _as_string(text: str) -> str:
    """The string of Twisted that is meant."""
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        return text
    if not colon:
        return f"tcp:{port}:interface=127.0.0.1"
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    try:
        interface = str(IPv6Address(inner) if inner else IPv4Address(host)).replace(":", r"\:")
    except ValueError:
        # What begins with a word is a string of Twisted.
        return text
    return f"tcp:{port}:interface={interface}"
