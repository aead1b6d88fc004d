"""Who asks, and whether an operator does: by the mode of a socket, by a token, or by a certificate."""

from __future__ import annotations

import hmac
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rserpool.admin.answers import Refused
from rserpool.admin.unix import peer_of
from rserpool.core.access import Access
from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Identity
from rserpool.security.files import read_secret

SHORTEST: Final = 20
"""Characters of a token, at least."""
CHALLENGE: Final = {b"WWW-Authenticate": b'Bearer realm="rserpool"'}


@frozen
class Asker:
    """One who asks.

    @ivar name: for the audit trail.
    @ivar operator: whether it may act.
    """

    name: str
    operator: bool


class Token:
    """The secret by which an operator proves to be one; the file may change while this runs.

    @param path: a file that only its owner may read.
    @raise ConfigurationError: if it cannot be used: the text says what to do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read()

    def matches(self, given: bytes) -> bool:
        """Whether this is the token, as it is in the file now.

        @raise ConfigurationError: if the file cannot be read any more, or others may.
        """
        return hmac.compare_digest(self._read(), given)

    def _read(self) -> bytes:
        token = read_secret(self._path).strip()
        if len(token) < SHORTEST or not token.isascii() or len(token.split()) != 1:
            raise ConfigurationError(
                f"{self._path}: a token is one word of {SHORTEST} characters or more, such as: openssl rand -hex 32"
            )
        return token


def over_unix(request: Any) -> Asker:
    """Who has opened our socket: its mode lets nobody else in, but who is asked all the same.

    @raise Refused: if it is neither our user nor root.
    """
    pid, uid = peer_of(request.channel.transport.socket)
    if uid not in (0, os.geteuid()):
        raise Refused(403, "this socket is for its owner and root")
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    return Asker(f"{name} (process {pid})", True)


def over_tcp(request: Any, token: Token | None, access: Callable[[], Access | None]) -> Asker:
    """Who has connected: anybody, unless it proves to be an operator.

    @raise Refused: if it offers a token, and that is not ours.
    """
    peer = request.channel.transport.getPeer()
    where = f"{peer.host}:{peer.port}"
    offered = request.requestHeaders.getRawHeaders(b"Authorization", [])
    if offered:
        if not _is(token, offered):
            raise Refused(401, "this is not the token of an operator", CHALLENGE)
        return Asker(f"an operator by token, at {where}", True)
    found, proved = access(), _identities(request.channel.transport)
    for principal in () if found is None else found.standing(proved).principals:
        if principal.operator:
            return Asker(f"{principal.name} at {where}", True)
    return Asker(f"{', '.join(map(str, proved)) or 'somebody'} at {where}", False)


def _is(token: Token | None, offered: list[bytes]) -> bool:
    scheme, _, given = offered[0].partition(b" ")
    if token is None or len(offered) != 1 or scheme.lower() != b"bearer":
        return False
    try:
        return token.matches(given.strip())
    except ConfigurationError as error:
        raise Refused(503, f"the token cannot be read: {error}") from None


def _identities(transport: Any) -> tuple[Identity, ...]:
    """Who a client has proved to be by its certificate."""
    shown = getattr(transport, "getPeerCertificate", None)
    certificate = shown() if shown is not None else None
    if certificate is None:
        return ()
    from cryptography.hazmat.primitives.serialization import Encoding

    from rserpool.security.names import names_of

    return names_of(certificate.to_cryptography().public_bytes(Encoding.DER))
