"""How people say that TLS is spoken with elements: which name these have, and who says so (RFC 5355 section 2.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rserpool.core.errors import ConfigurationError
from rserpool.security.files import read_public

TLS_CA = (
    "who issues the certificates of elements (PEM); by default the server-ca of --security, or else whom the platform "
    "believes"
)


def tls_from(name: str | None, file: str | None, words: str = "--tls-ca goes with --tls NAME") -> dict[str, Any]:
    """The arguments C{tls} and C{tls_ca} of whatever connects to elements; none where no TLS is wanted.

    @param name: a DNS name or an IP address.
    @param file: the name of a file with certificates (PEM).
    @param words: what is said where there is a file and no name.
    @raise ConfigurationError: if something is wrong with them.
    """
    if name is None:
        if file is not None:
            raise ConfigurationError(words)
        return {}
    if not name:
        raise ConfigurationError("which name do the certificates of elements bear?")
    # It loads OpenSSL.
    from rserpool.user.tls import checks

    anchors = None if file is None else read_public(Path(file).expanduser())
    checks(name, anchors)
    return {"tls": name} if anchors is None else {"tls": name, "tls_ca": anchors}
