"""One attempt to reach one element, over whatever it serves (RFC 5352 section 6.5.1, steps C and D)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PoolElementParameter, SctpTransport, TcpTransport
from rserpool.session.links import Link, Owner
from rserpool.session.sctp import SctpLink
from rserpool.session.tcp import FramedLink, PlainLink
from rserpool.user.service import PoolUserService
from rserpool.user.tcp import tcp_endpoint


class NotSpoken(Exception):
    """The element serves over a transport that sessions do not use."""


class _One(Factory):
    """Builds the one link."""

    noisy = False

    def __init__(self, link: Any) -> None:
        self._link = link

    def buildProtocol(self, addr: Any) -> Any:
        return self._link


class Dialling:
    """Connects a link to an element. The link's owner hears C{link_up} or C{link_lost}, unless L{stop} comes first."""

    def __init__(
        self, user: PoolUserService, element: PoolElementParameter, owner: Owner, hello: Hello, ppid: int
    ) -> None:
        """
        @raise NotSpoken: if there is no link to such an element.
        """
        self._user = user
        self._element = element
        self.link = _link(element, owner, hello, ppid)
        self._connecting: Deferred[Any] | None = None

    def start(self, seconds: float) -> None:
        """Connect; C{seconds} is how long it may take, where nobody stops it sooner."""
        factory = _One(self.link)
        match self._element.user_transport:
            case TcpTransport(port=port, address=address):
                endpoint: Any = tcp_endpoint(self._user.reactor, address, port, seconds + 1)
            case SctpTransport(port=port, addresses=addresses):
                endpoint = self._user.sctp_endpoint(TransportAddress(addresses, port, self._element.encapsulation))
        self._connecting = endpoint.connect(factory)
        self._connecting.addCallbacks(self._made, self._failed)

    def stop(self) -> None:
        """Give up, or end the connection at once."""
        connecting, self._connecting = self._connecting, None
        self.link.abort()
        if connecting is not None:
            connecting.cancel()

    def _made(self, _: Any) -> None:
        self._connecting = None

    def _failed(self, reason: Failure) -> None:
        self._connecting = None
        if not self.link.over:
            self.link.over = True
            self.link.owner.link_lost(self.link, reason)
        elif not reason.check(CancelledError):
            reason.trap(Exception)


def _link(element: PoolElementParameter, owner: Owner, hello: Hello, ppid: int) -> Link:
    match element.user_transport:
        case TcpTransport() if element.framing:
            return FramedLink(owner, hello)
        case TcpTransport():
            return PlainLink(owner)
        case SctpTransport(use=use):
            return SctpLink(owner, ppid, control=use == DATA_PLUS_CONTROL, numbered=bool(element.framing))
        case other:
            raise NotSpoken(f"it serves over {type(other).__name__.removesuffix('Transport')}, not TCP or SCTP")
