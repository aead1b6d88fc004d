"""TLS of what a role serves beside ASAP and ENRP, with the certificate of the role (RFC 9325).

Its admin interface, for browsers, Prometheus and commands; and a worker that has to know who submits code.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError
from rserpool.security.following import Secured
from rserpool.security.names import names_of
from rserpool.security.settings import Certificate, Security
from rserpool.security.way import CERTIFICATE_SUITES

_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """Makes the server's end of connections, with the certificate as it is now.

    A client may show a certificate; one that the scope's authority (client-ca) has not issued ends the handshake.

    @param missing: what is said where there is no certificate.
    @param purpose: what it serves; no session of TLS is good for another one.
    @param demanding: whether who shows no certificate is not served.
    @raise ConfigurationError: if there is no certificate, or it cannot be used.
    """

    def __init__(self, secured: Secured, missing: str, purpose: bytes, demanding: bool = False) -> None:
        self._secured = secured
        self._missing = missing
        self._purpose = purpose
        self._demanding = demanding
        self._of: Security | None = None
        self._context: Any = None
        self._renew()

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the certificate."""
        certificate = self._secured.current.certificate
        if certificate is None:
            return ()
        from cryptography.hazmat.primitives.serialization import Encoding

        first = x509.load_pem_x509_certificates(certificate.chain)[0]
        return tuple(name.name for name in names_of(first.public_bytes(Encoding.DER)))

    def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
        """See C{IOpenSSLServerConnectionCreator}."""
        if self._of is not self._secured.current:
            self._renew()
        return SSL.Connection(self._context, None)

    def _renew(self) -> None:
        security = self._secured.current
        if security.certificate is None:
            raise ConfigurationError(self._missing)
        context = _context(security, security.certificate, self._purpose, self._demanding)
        self._context, self._of = context, security


def _context(security: Security, own: Certificate, purpose: bytes, demanding: bool) -> Any:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    lowest = SSL.TLS1_3_VERSION if security.lowest_tls == "1.3" else SSL.TLS1_2_VERSION
    context.set_min_proto_version(lowest)
    context.set_options(_OPTIONS)
    context.set_cipher_list(CERTIFICATE_SUITES.encode("ascii"))
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        first, *others = x509.load_pem_x509_certificates(own.chain)
        context.use_certificate(crypto.X509.from_cryptography(first))
        for other in others:
            context.add_extra_chain_cert(crypto.X509.from_cryptography(other))
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, own.private_key, b""))
        context.check_privatekey()
        if security.client_ca is not None:
            trusted = x509.load_pem_x509_certificates(security.client_ca)
            issuers = [crypto.X509.from_cryptography(each) for each in trusted]
            store: Any = context.get_cert_store()
            for issuer in issuers:
                store.add_cert(issuer)
            context.set_client_ca_list([issuer.get_subject() for issuer in issuers])
            mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if demanding else 0)
            context.set_verify(mode, lambda connection, certificate, error, depth, fine: bool(fine))
            context.set_session_id(purpose)
    except (ValueError, SSL.Error, crypto.Error) as error:
        raise ConfigurationError(f"a certificate or private key cannot be used: {error}") from None
    return context
