"""Where a proxy accepts connections, and how it speaks with elements, as options name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rserpool.core.errors import ConfigurationError
from rserpool.security.files import read_public

TLS_CA = (
    "who issues the certificates of elements (PEM); by default the server-ca of --security, or else whom the platform "
    "believes"
)


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


def tls_from(name: str | None, file: str | None) -> dict[str, Any]:
    """The arguments C{tls} and C{tls_ca} of a proxy; none where no TLS is wanted.

    @raise ConfigurationError: if something is wrong with them.
    """
    if name is None:
        if file is not None:
            raise ConfigurationError("--tls-ca goes with --tls NAME")
        return {}
    # It loads OpenSSL.
    from rserpool.user.tls import checks

    anchors = None if file is None else read_public(Path(file).expanduser())
    checks(name, anchors)
    return {"tls": name, "tls_ca": anchors}
