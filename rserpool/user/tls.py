"""TLS to an element: connected when its certificate was checked, not before (RFC 8446, RFC 9525).

It loads OpenSSL: only who asks for TLS loads it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from OpenSSL import crypto
from OpenSSL.SSL import Error
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError
from rserpool.core.user.trying import PassedOver
from rserpool.security.settings import Certificate as OwnCertificate
from rserpool.user.service import PoolUserService


@lru_cache(maxsize=64)
def checks(
    name: str, anchors: bytes | None = None, own: OwnCertificate | None = None
) -> IOpenSSLClientConnectionCreator:
    """What checks that a server's certificate is for a name.

    @param name: a DNS name or an IP address, as the pool's configuration says it (RFC 5355 section 2.7): never what a
        registrar says.
    @param anchors: PEM, whose certificates are believed; None for those that the platform believes.
    @param own: what is shown to a server that asks who we are; None for nothing.
    @raise ConfigurationError: if it is no name of a certificate, or there is no certificate among the anchors.
    """
    options: dict[str, Any] = {} if own is None else _shown(own)
    if anchors is not None:
        options["trustRoot"] = _believed(anchors)
    try:
        if name:
            return optionsForClientTLS(name, **options)
    except ValueError as error:
        raise ConfigurationError(f"{name!r} is no name of a certificate: {error}") from None
    raise ConfigurationError("'' is no name of a certificate")


def checks_of(user: PoolUserService, name: str, anchors: bytes | None = None) -> IOpenSSLClientConnectionCreator:
    """The same for a user, whose C{server-ca} counts where nothing else is said: as it is now. An element that asks is
    shown its certificate, if it has one.

    @raise ConfigurationError: as L{checks} does.
    """
    if user.secured is None:
        return checks(name, anchors)
    security = user.secured.current
    return checks(name, security.server_ca if anchors is None else anchors, security.certificate)


def _shown(own: OwnCertificate) -> dict[str, Any]:
    try:
        certificates = [Certificate.loadPEM(_BEGIN + part) for part in own.chain.split(_BEGIN)[1:]]
        pair = PrivateCertificate.loadPEM(own.private_key + b"\n" + certificates[0].dumpPEM())
    except (crypto.Error, IndexError) as error:
        raise ConfigurationError(f"the own certificate cannot be used: {_text(error)}") from None
    chain = [each.original for each in certificates[1:]]
    return {"clientCertificate": pair, "extraCertificateOptions": {"extraCertChain": chain} if chain else None}


def _believed(anchors: bytes) -> Any:
    try:
        certificates = [Certificate.loadPEM(_BEGIN + part) for part in anchors.split(_BEGIN)[1:]]
    except crypto.Error as error:
        raise ConfigurationError(f"the trust anchors cannot be read: {_text(error)}") from None
    if not certificates:
        raise ConfigurationError("there is no certificate (PEM) in the trust anchors")
    return trustRootFromCertificates(certificates)


_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


@implementer(IStreamClientEndpoint)
class TlsEndpoint:
    """Connects by another endpoint, and shakes hands.

    @param creator: what C{twisted.internet.ssl.optionsForClientTLS} returns.
    @param inner: the endpoint.
    @param name: the name that the certificate is checked against; for errors.
    @param clock: the reactor: by itself TLS takes the one that is installed.
    """

    def __init__(
        self, creator: IOpenSSLClientConnectionCreator, inner: IStreamClientEndpoint, name: str, clock: Any = None
    ) -> None:
        self._clock = clock
        self._creator = creator
        self._inner = inner
        self._name = name

    def __repr__(self) -> str:
        return f"<TlsEndpoint for {self._name!r} over {self._inner!r}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        @return: a C{Deferred} of the protocol, that can be cancelled. It fails with
            L{PassedOver} if there is something wrong with the certificate, and as
            the endpoint's does.
        """
        done: Deferred[IProtocol] = Deferred(lambda _: give_up())
        factory = _Handshaking(protocolFactory, done, self._name)
        connecting = self._inner.connect(TLSMemoryBIOFactory(self._creator, True, factory, self._clock))

        def give_up() -> None:
            if factory.transport is None:
                connecting.cancel()
            else:
                factory.transport.abortConnection()

        connecting.addErrback(factory.failed)
        return done


class _Handshaking(WrappingFactory):
    """Tells a Deferred how the one handshake ended."""

    noisy = False
    transport: Any = None

    def __init__(self, factory: IProtocolFactory, done: Deferred[IProtocol], name: str) -> None:
        super().__init__(factory)
        self._done = done
        self._name = name

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self.wrappedFactory.buildProtocol(addr)
        own: Any = self
        return None if protocol is None else _Handshake(own, protocol)

    def completed(self, protocol: Any) -> None:
        """The certificate is good."""
        if not self._done.called:
            self._done.callback(protocol)

    def failed(self, reason: Failure) -> None:
        """There is no connection."""
        if self._done.called:
            return
        if reason.check(VerificationError):
            reason = Failure(PassedOver(f"its certificate is not one for {self._name}"))
        elif reason.check(Error):
            reason = Failure(PassedOver(f"TLS for {self._name} failed: {_text(reason.value)}"))
        self._done.errback(reason)


@implementer(IHandshakeListener)
class _Handshake(ProtocolWrapper):
    """Stands between TLS and the protocol, which is connected when the handshake is over."""

    factory: _Handshaking
    _complete = False

    def makeConnection(self, transport: Any) -> None:
        self.factory.transport = transport
        Protocol.makeConnection(self, transport)

    def handshakeCompleted(self) -> None:
        if getattr(self.transport, "_aborted", False):
            # Twisted 24.11 says so where the certificate was just refused, too.
            return
        self._complete = True
        super().makeConnection(self.transport)
        self.factory.completed(self.wrappedProtocol)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._complete:
            super().connectionLost(reason)
        elif reason.check(VerificationError, Error):
            self.factory.failed(reason)
        else:
            # Who closes in the middle of a handshake does not serve, however politely.
            self.factory.failed(Failure(ConnectionLost("in the midst of the TLS handshake")))


def _text(error: Any) -> str:
    """What OpenSSL says."""
    try:
        return "; ".join(reason for _, _, reason in error.args[0]) or type(error).__name__
    except (IndexError, TypeError, ValueError):
        return str(error) or type(error).__name__
