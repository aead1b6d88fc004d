"""TLS for one protocol of a role: it follows what secures the process (RFC 5352 section 9.2, RFC 5353 section 6.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import Identity
from rserpool.node.tcp import Make
from rserpool.node.tls_tcp import over_tls
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.tls.channel import Rule, Sides, TlsChannel
from rserpool.sctp.tls.endpoint import TlsStack
from rserpool.sctp.tls.framing import OwnLength
from rserpool.security.engine import TlsSide
from rserpool.security.following import Secured, SecurityFiles
from rserpool.security.settings import Security
from rserpool.security.sides import CLIENT, ELEMENT, REGISTRAR_ASAP, REGISTRAR_ENRP, Ends, expected
from rserpool.security.telling import Untold
from rserpool.security.way import Terms

_log = Logger()
ROLES: Final = {
    "client": (Rule.CLIENT, CLIENT),
    "element": (Rule.CLIENT, ELEMENT),
    "registrar": (Rule.SERVER, REGISTRAR_ASAP),
    "peer": (Rule.DIALLER, REGISTRAR_ENRP),
}
"""Users and operators; elements; a registrar towards them; a registrar among registrars."""


class Tls:
    """How one protocol of a role speaks TLS.

    @ivar channel: the same for the layer over SCTP.
    @raise ConfigurationError: if what secures the process is not enough for this role.
    """

    def __init__(
        self, secured: Secured, rule: Rule, ends: Ends, ppid: int, renewed: Callable[[], object] = lambda: None
    ) -> None:
        """
        @param renewed: called when we have another key or certificate, or trust others.
        """
        self._secured = secured
        self._renewed = renewed
        self._by = secured.current
        self._ends = ends
        self.channel = TlsChannel(Sides(), rule, OwnLength(ppid))
        self._renew(secured.current)
        self._end: Callable[[], None] | None = None

    def start(self, reactor: Any) -> None:
        """Follow it, on the clock of this reactor."""
        if self._end is None:
            self._secured.start(reactor)
            self._renew(self._secured.current)
            self._by = self._secured.current
            self._end = self._secured.watch(self._changed)

    def stop(self) -> None:
        """Follow it no more."""
        if self._end is not None:
            self._end()
            self._end = None
            self._secured.stop()

    def look(self) -> None:
        """Without a reactor: see now whether it has changed."""
        if isinstance(self._secured, SecurityFiles):
            self._secured.look(patiently=False)
        if self._secured.current is not self._by:
            self._changed(self._secured.current)

    def stack(self, reactor: Any, inner: ISctpStack, logged: bool = True) -> ISctpStack:
        """A stack whose endpoints speak it.

        @param logged: whether the log hears of handshakes that fail.
        """
        return TlsStack(reactor, inner, self.channel if logged else replace(self.channel, suspects=Untold()))

    @property
    def make(self) -> Make:
        """What makes connections that speak it."""
        return over_tls(self.channel)

    def expected(self, peer: TransportAddress, configured: bool) -> tuple[Identity, ...]:
        """Who must be at this address; see L{expected}.

        @param configured: whether people have named it.
        """
        return expected(peer.hosts, self._secured.current.scope, configured)

    def _changed(self, security: Security) -> None:
        try:
            self._renew(security)
        except ConfigurationError as error:
            _log.error("{error}; handshakes go on as they were", error=str(error))
            return
        before, self._by = self._by, security
        cut = self.channel.cut_off()
        if cut:
            _log.info("{count} cut off, whose keys are known no more", count=cut)
        if _own(before) != _own(security):
            self._renewed()

    def _renew(self, security: Security) -> None:
        server, client = (self._side(terms, security) for terms in (self._ends.server, self._ends.client))
        sides = self.channel.sides
        sides.server, sides.client, sides.learned = server, client, expected((), security.scope)

    def _side(self, terms: Callable[[Security], Terms | None] | None, security: Security) -> TlsSide | None:
        brought = None if terms is None else terms(security)
        return None if brought is None else TlsSide(brought, self._ends.anonymous)


def _own(security: Security) -> tuple[object, ...]:
    return security.own, security.certificate, security.server_ca
