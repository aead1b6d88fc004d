"""The small interface behind which OpenSSL stands; two ways lead to it (L{rserpool.security.context})."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from rserpool.core.frozen import frozen
from rserpool.security.keys import Key
from rserpool.security.settings import Certificate

RECORD: Final = 16384
"""Bytes of plaintext in a record, at most (RFC 8446 section 5.1)."""
LONGEST_RECORD: Final = 18437
"""Bytes of a record with its header, at most (RFC 3436 section 3.2)."""

TWO_RECORDS: Final = 42
"""Two records have so many bytes more than what is in the first, at least (5 of header and 16 of a tag each)."""

KEY_SUITES: Final = "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES256-CBC-SHA384"
"""TLS 1.2 with a key: all have Diffie-Hellman, none is without encryption."""
CERTIFICATE_SUITES: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
    ":ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
)
"""TLS 1.2 with a certificate (RFC 9325 section 4.2)."""
GROUPS: Final = "X25519:P-256:P-384"
"""With a key: it keeps secrets from quantum computers, too, and a hello without ML-KEM fits into one packet."""
STATIC_RSA: Final = "AES128-SHA"
"""TLS_RSA_WITH_AES_128_CBC_SHA (RFC 5352 section 9.2, RFC 3436 section 4.1)."""


@frozen
class Terms:
    """What one end brings to its handshakes: keys alone, or certificates alone.

    A context of OpenSSL with both would go on with the certificate where a key is not known.

    @ivar server: which end of TLS it is.
    @ivar own: at a client: the key that it has.
    @ivar find: at a server: finds the secret of a client's key by its identity.
    @ivar certificate: the certificate that is shown.
    @ivar anchors: PEM of who issues the peers' certificates; None at a server: it asks for none.
    @ivar lowest: C{"1.2"} or C{"1.3"}; C{highest} likewise.
    @ivar static_rsa: whether L{STATIC_RSA} is taken as well.
    """

    server: bool
    own: Key | None = None
    find: Callable[[str], bytes | None] | None = None
    certificate: Certificate | None = None
    anchors: bytes | None = None
    lowest: str = "1.2"
    highest: str = "1.3"
    static_rsa: bool = False

    @property
    def suites(self) -> str:
        """The cipher suites of TLS 1.2, the best first."""
        if self.own is not None or self.find is not None:
            return KEY_SUITES
        return f"{CERTIFICATE_SUITES}:{STATIC_RSA}" if self.static_rsa else CERTIFICATE_SUITES


class Asked(Protocol):
    """A connection, as it is asked for keys during its handshake."""

    def key(self, name: str) -> bytes | None:
        """The secret of the key that the client offers."""


class Wire(Protocol):
    """One TLS connection over memory: bytes in, bytes out. What fails raises L{TlsFailure}."""

    closed: bool
    """Whether the peer sends no more (close_notify)."""

    def step(self, data: bytes, asked: Asked) -> bool:
        """Go on with the handshake; whether it is done.

        @param asked: who is asked for keys; it is not kept, since that would be a circle.
        """

    def output(self) -> bytes:
        """What is to be sent now."""

    def seal(self, data: bytes) -> bytes:
        """The record of at most L{RECORD} bytes."""

    def open(self, data: bytes) -> bytes:
        """What is in records that came in; a record that is not whole yet waits."""

    def end(self) -> bytes:
        """The record that says that we send no more."""

    def modern(self) -> bool:
        """Whether it is TLS 1.3."""

    def version(self) -> str:
        """C{"TLSv1.3"} or C{"TLSv1.2"}."""

    def cipher(self) -> str:
        """The cipher suite, in OpenSSL's words."""

    def resumed(self) -> bool:
        """TLS 1.3: whether it stands on a key that both had before."""

    def peer_certificate(self) -> bytes | None:
        """The DER of what the peer has shown, and which was checked if there are anchors."""


class Context(Protocol):
    """What is the same for all handshakes of one end."""

    def wire(self) -> Wire:
        """A new connection."""
