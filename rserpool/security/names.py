"""The names in a certificate, and whether they are those that were expected (RFC 5352 section 9.2, RFC 9525)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

import idna
from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import (
    DNS_ID,
    DNSPattern,
    IPAddress_ID,
    IPAddressPattern,
    verify_service_identity,
)

from rserpool.core.identity import Identity


def names_of(certificate: bytes) -> tuple[Identity, ...]:
    """Who a certificate (DER) is for: its dNSNames and iPAddresses."""
    names: list[Identity] = []
    try:
        extension = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (x509.ExtensionNotFound, ValueError):
        return ()
    for name in extension.value:
        if isinstance(name, x509.DNSName):
            names.append(Identity("dns", name.value))
        elif isinstance(name, x509.IPAddress):
            with suppress(ValueError):
                names.append(Identity("ip", str(name.value)))
    return tuple(dict.fromkeys(names))


def is_for(certificate: bytes, expected: Collection[Identity]) -> bool:
    """Whether a certificate (DER) is for one of these names; a C{*} stands for the whole left-most label alone."""
    try:
        patterns: Any = [
            each
            for each in extract_patterns(x509.load_der_x509_certificate(certificate))
            if isinstance(each, DNSPattern | IPAddressPattern)
        ]
    except (CertificateError, ValueError):
        return False
    return any(_matches(patterns, each) for each in expected)


def _matches(patterns: Any, expected: Identity) -> bool:
    reference: Any
    try:
        if expected.kind == "dns":
            reference = DNS_ID(idna.encode(expected.name, uts46=True).decode("ascii"))
        elif expected.kind == "ip":
            reference = IPAddress_ID(expected.name)
        else:
            return False
        verify_service_identity(patterns, [reference], [])
    except (VerificationError, CertificateError, ValueError):
        return False
    return True
