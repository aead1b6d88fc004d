"""TLS of the admin interface, with the certificate of its role: for browsers, Prometheus and commands (RFC 9325)."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError
from rserpool.security.following import Secured
from rserpool.security.names import names_of
from rserpool.security.settings import Security
from rserpool.security.way import CERTIFICATE_SUITES

_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE


@implementer(IOpenSSLServerConnectionCreator)
class AdminTls:
    """Makes the server's end of connections, with the certificate as it is now.

    A client may show a certificate; one that the scope's authority (client-ca) has not issued ends the handshake.

    @raise ConfigurationError: if there is no certificate, or it cannot be used.
    """

    def __init__(self, secured: Secured) -> None:
        self._secured = secured
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
        self._context, self._of = _context(security), security


def _context(security: Security) -> Any:
    own = security.certificate
    if own is None:
        raise ConfigurationError(
            "the admin interface beyond this host needs a certificate in what --security names (certificate.pem, "
            "private-key.pem): browsers know no keys"
        )
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
            context.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, error, depth, fine: bool(fine))
            context.set_session_id(b"rserpool admin")
    except (ValueError, SSL.Error, crypto.Error) as error:
        raise ConfigurationError(f"a certificate or private key cannot be used: {error}") from None
    return context
