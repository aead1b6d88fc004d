"""How a session reaches an element, and by which link (RFC 5352 section 6.5.1, step C; RFC 5355 section 2.16)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PoolElementParameter, SctpTransport
from rserpool.session.links import Link, LinkOwner
from rserpool.session.listening import ListeningSctpLink, ListeningTcpLink, Speech, speech_of
from rserpool.session.sctp import SctpLink
from rserpool.session.tcp import FramedLink
from rserpool.user.dialling import address_of, endpoint_at, spoken_with
from rserpool.user.service import PoolUserService


class Reach:
    """What one session has to reach elements with.

    @param attempt: seconds that an element may take to accept.
    @param tls: the name that the certificate of each must have; None for no TLS. Within TLS there is session framing,
        over SCTP as over TCP: one connection protects data and control (RFC 3436 knows no PPIDs).
    @param tls_ca: PEM of who issues these certificates.
    @raise ConfigurationError: if something is wrong with C{tls} or C{tls_ca}.
    """

    def __init__(
        self, user: PoolUserService, *, attempt: float, ppid: int, tls: str | None = None, tls_ca: bytes | None = None
    ) -> None:
        self._user = user
        self._attempt = attempt
        self._ppid = ppid
        self._tls = tls is not None
        self._speaks = spoken_with(user, tls, tls_ca)

    def link(self, element: PoolElementParameter, owner: LinkOwner, hello: Hello) -> Link:
        """The link for an element."""
        if self._tls:
            return FramedLink(owner, hello)
        return link_to(element, owner, hello, self._ppid, speech_of(self._user))

    def connect(self, element: PoolElementParameter, link: Link) -> Deferred[Any]:
        """Connect a link to its element.

        @raise PassedOver: if there is no way to it.
        """
        factory: Any = Factory.forProtocol(lambda: link)
        factory.noisy = False
        endpoint = self._speaks(endpoint_at(self._user, address_of(element), self._attempt))
        connecting: Deferred[Any] = endpoint.connect(factory)
        return connecting.addErrback(link.connectionLost)


def link_to(element: PoolElementParameter, owner: LinkOwner, hello: Hello, ppid: int, speech: Speech) -> Link:
    """The link that reaches an element which serves over SCTP or TCP (RFC 5352 section 6.5.1, step C).

    @param speech: what elements speak whose registration does not say it.
    """
    transport, framing = element.user_transport, bool(element.framing)
    if isinstance(transport, SctpTransport):
        control = transport.use == DATA_PLUS_CONTROL
        heard = speech.of(element) if control and not framing else framing
        if heard is None:
            return ListeningSctpLink(owner, ppid, element, speech)
        return SctpLink(owner, ppid, control=control, numbered=heard)
    return FramedLink(owner, hello) if framing else ListeningTcpLink(owner, hello, element, speech)
