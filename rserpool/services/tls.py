"""A certificate for whoever serves TLS, from a folder as C{rserpool keys} makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rserpool.core.errors import ConfigurationError
from rserpool.security.files import read_public, read_secret
from rserpool.security.settings import FILES


def shown(folder: str) -> Any:
    """What shows the certificate of a folder to users: Twisted's C{CertificateOptions}.

    @raise ConfigurationError: if there is none, or something is wrong with it.
    """
    directory = Path(folder).expanduser()
    certificate, private_key = directory / FILES["certificate"], directory / FILES["private-key"]
    chain, secret = read_public(certificate), read_secret(private_key)
    # They load OpenSSL.
    from OpenSSL import crypto
    from twisted.internet.ssl import CertificateOptions

    from rserpool.security.certificates import check_pair

    check_pair(chain, secret, str(certificate), str(private_key))
    try:
        first, *others = [
            crypto.load_certificate(crypto.FILETYPE_PEM, _BEGIN + part) for part in chain.split(_BEGIN)[1:]
        ]
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, secret)
    except (crypto.Error, ValueError) as error:
        raise ConfigurationError(f"{certificate}: it cannot be used: {error}") from None
    return CertificateOptions(privateKey=key, certificate=first, extraCertChain=others)


_BEGIN = b"-----BEGIN CERTIFICATE-----"
