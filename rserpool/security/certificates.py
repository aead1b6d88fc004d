"""Certificates as this process has them: what they say, and whether OpenSSL would believe them (RFC 5280).

This module loads cryptography and pyOpenSSL: whoever needs no certificate does not import it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import crypto

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Identity

SHORTEST_RSA = 2048
"""Bits of an RSA key, at least (RFC 9325 section 4.5)."""


@frozen
class Described:
    """What a certificate says.

    @ivar names: its dNSNames and iPAddresses.
    @ivar begins: from when on it is good.
    @ivar ends: until when.
    @ivar weak: what is wrong with its key; empty if nothing is.
    """

    subject: str
    names: tuple[Identity, ...]
    begins: datetime
    ends: datetime
    weak: str


def describe(pem: bytes, where: str) -> list[Described]:
    """What the certificates of a PEM file say, in its order.

    @param where: the file's name, for sentences.
    @raise ConfigurationError: if there is none, or one cannot be read.
    """
    return [_described(certificate, where) for certificate in _load(pem, where)]


def check_pair(chain: bytes, private_key: bytes, where: str, key_where: str) -> None:
    """Whether the private key is that of the first certificate.

    @raise ConfigurationError: if it is not, or one of them cannot be read.
    """
    certificate = _load(chain, where)[0]
    try:
        key = load_pem_private_key(private_key, None)
    except TypeError:
        raise ConfigurationError(f"{key_where}: it has a passphrase, and nobody is there to type it") from None
    except Exception:
        # What OpenSSL says about it may quote it.
        raise ConfigurationError(f"{key_where}: this is not a private key in PEM") from None
    if _public(key.public_key()) != _public(certificate.public_key()):
        raise ConfigurationError(f"{key_where}: this is not the private key of the certificate in {where}")


def untrusted(chain: bytes, anchors: bytes, now: datetime) -> str:
    """Why OpenSSL would not believe a certificate at that time; empty if it would.

    @param chain: PEM, the certificate first, then what leads to its issuer.
    @param anchors: PEM of trust anchors.
    """
    store = crypto.X509Store()
    for anchor in _load(anchors, "the trust anchors"):
        store.add_cert(crypto.X509.from_cryptography(anchor))
    store.set_time(now)
    first, *others = [crypto.X509.from_cryptography(each) for each in _load(chain, "the certificate")]
    try:
        crypto.X509StoreContext(store, first, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return ""


def _load(pem: bytes, where: str) -> list[x509.Certificate]:
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ConfigurationError(f"{where}: there is no certificate in it (-----BEGIN CERTIFICATE-----)")
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigurationError(f"{where}: a certificate in it cannot be read: {error}") from None


def _described(certificate: x509.Certificate, where: str) -> Described:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        identities = [Identity("dns", name) for name in names.get_values_for_type(x509.DNSName)]
        identities += [Identity("ip", str(address)) for address in names.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        identities = []
    except ValueError as error:
        raise ConfigurationError(f"{where}: the names of a certificate cannot be read: {error}") from None
    return Described(
        certificate.subject.rfc4514_string(),
        tuple(identities),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        _weak(certificate.public_key()),
    )


def _weak(key: Any) -> str:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SHORTEST_RSA:
        return f"its RSA key has {key.key_size} bits; {SHORTEST_RSA} are needed"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < 256:
        return f"its key is on a curve of {key.curve.key_size} bits; 256 are needed"
    good = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    if isinstance(key, dsa.DSAPublicKey) or not isinstance(key, good):
        return "its key is of a kind that TLS does not take"
    return ""


def _public(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
