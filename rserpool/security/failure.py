"""Why a TLS connection is not had, or ends, in words for who has to act on it (RFC 5352 section 9.2)."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 500


class TlsFailure(Exception):
    """A handshake failed, or a record that came in is not the peer's.

    Its text says why. The connection is of no use any more; what is left to send says so to the peer.
    """

    def __init__(self, why: str) -> None:
        # A part of it may be the peer's words.
        super().__init__("".join(each if each.isprintable() else "?" for each in why[:_LONGEST]))


NOT_TLS: Final = "it speaks no TLS here"
OTHER_KEY: Final = "its key is not the one that we know by this identity"

_HEARD: Final = {
    "unknown psk identity": "it does not know the key that we offer",
    "decrypt error": "its key is not the one that we know by this identity, or it was tampered with",
    "bad record mac": "its key is not the one that we know by this identity, or it was tampered with",
    "handshake failure": "it has no cipher suite, key or certificate that we take",
    "protocol version": "it speaks none of our TLS versions",
    "unknown ca": "it does not know who issued our certificate",
    "bad certificate": "it does not take our certificate",
    "certificate expired": "it finds that our certificate has expired: look at both clocks",
    "certificate required": "it wants a certificate, and we have none",
}
"""Alerts of the peer (RFC 8446 section 6.2)."""
_SEEN: Final = {
    "unsupported protocol": "it speaks none of our TLS versions",
    "unsupported version": "it speaks none of our TLS versions",
    "version too low": "it speaks none of our TLS versions",
    "wrong version number": NOT_TLS,
    "http request": NOT_TLS,
    "record layer failure": "a record is not its own: its key is another, or it was tampered with",
    "packet length too long": NOT_TLS,
    "binder does not verify": OTHER_KEY,
    "digest check failed": OTHER_KEY,
    "decryption failed or bad record mac": "a record is not its own: its key is another, or it was tampered with",
    "no shared cipher": "it offers neither a key nor a cipher suite that we take",
    "no suitable signature algorithm": "it offers no key, and takes no certificate of ours",
    "no suitable key share": "it has no Diffie-Hellman group that we take",
    "peer did not return a certificate": "it has no certificate",
    "unexpected eof while reading": "it ended within the handshake",
}
"""What OpenSSL finds."""


def sentence(reason: str) -> str:
    """What the reason of OpenSSL, in small letters, means."""
    if " alert " in f" {reason} ":
        alert = reason.rpartition("alert ")[2]
        return f"the peer refuses: {_HEARD.get(alert, alert)}"
    return _SEEN.get(reason, reason or "it broke off")
