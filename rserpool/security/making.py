"""New keys, and certificates of a CA for trying (RFC 5280, RFC 9257 section 6)."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rserpool.core.frozen import frozen
from rserpool.security.keys import Key

CA_YEARS = 10
SLACK = timedelta(hours=1)
"""By which the clocks of hosts may be behind."""


def new_key(name: str, randomness: Any = os.urandom) -> Key:
    """A key of 32 bytes."""
    return Key(name, randomness(32))


@frozen
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)


def new_ca(scope: str, now: datetime) -> Issued:
    """A CA for the registrars and elements of a scope; its private key signs whatever it is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"CA of {scope}")
    certificate = (
        _builder(name, name, key, now, timedelta(days=365 * CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pem(certificate, key)


def new_certificate(ca: Issued, names: Iterable[str], now: datetime, days: int, rsa_bits: int = 0) -> Issued:
    """A certificate for whoever has these names, to serve and to dial.

    @param names: host names and IP addresses; the first one is its subject.
    @param rsa_bits: bits of an RSA key (TLS_RSA_WITH_AES_128_CBC_SHA needs one); 0 for a key on P-256.
    """
    known = list(dict.fromkeys(names))
    key: Any = ec.generate_private_key(ec.SECP256R1())
    if rsa_bits:
        key = rsa.generate_private_key(65537, rsa_bits)
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key: Any = load_pem_private_key(ca.private_key, None)
    certificate = (
        _builder(_name(known[0]), issuer.subject, key, now, timedelta(days=days), issuer_key)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in known]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False, enciphers=bool(rsa_bits)), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _pem(certificate, key)


def is_address(name: str) -> bool:
    """Whether this is an IP address, and not a host's name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Any, now: datetime, life: timedelta, issuer_key: Any = None
) -> x509.CertificateBuilder:
    public = key.public_key()
    signer = (issuer_key or key).public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


def _name(text: str) -> x509.Name:
    # A common name has at most 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if is_address(name) else x509.DNSName(name)


def _usage(signs_certificates: bool, enciphers: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate, key: Any) -> Issued:
    return Issued(
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
