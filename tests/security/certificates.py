"""Certificates for tests: an authority, and what it issues."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rserpool.security.settings import Certificate

DAY = timedelta(days=1)


def private_key(use_rsa: bool = False) -> Any:
    """A new one."""
    return rsa.generate_private_key(65537, 2048) if use_rsa else ec.generate_private_key(ec.SECP256R1())


class Authority:
    """Issues certificates.

    @ivar pem: its own.
    """

    def __init__(self, name: str = "test authority") -> None:
        self.key = private_key()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            _begin(self.name, self.name, self.key, now - DAY, now + 10 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(self, *names: str, expired: bool = False, use_rsa: bool = False, key: Any = None) -> Certificate:
        """A certificate for host names and IP addresses."""
        key = key or private_key(use_rsa)
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
        builder = _begin(subject, self.name, key, now - 3 * DAY, now - DAY if expired else now + 5 * DAY)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), False)
        chain = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return Certificate(chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def own(self, *names: str) -> Certificate:
        """One for these names that nobody but the key itself has signed."""
        now = datetime.now(UTC)
        builder = _begin(self.name, self.name, self.key, now - DAY, now + DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), False)
        chain = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return Certificate(chain, self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _begin(subject: x509.Name, issuer: x509.Name, key: Any, since: datetime, until: datetime) -> Any:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
