"""The element's side of sessions: a factory of protocols, over SCTP and TCP alike (RFC 5352 sections 3.8, 3.9).

C{SessionFactory} goes wherever a Twisted factory goes: C{endpoint.listen(factory)} over C{tcp:} or C{sctp:}.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import Logger

from rserpool.core.admission import HELLO, Admission
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.session.cookies import Cookies
from rserpool.core.wire.frames import LONGEST_FRAME, Hello
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.core.wire.private import SESSION_FRAMING_VERSION
from rserpool.node.sockets import descriptors_left
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.outgoing import Outgoing
from rserpool.session.element import ElementSession, SessionProtocol
from rserpool.session.sctp import SctpLink, checked_ppid
from rserpool.session.tcp import FramedLink


class SessionFactory(Factory):
    """Builds a L{SessionProtocol} for each session. Its ports are registered as serving sessions: over SCTP with the
    transport use DATA_PLUS_CONTROL, over TCP with the private parameter Session Framing.

    @param build: makes a protocol: a class, or any callable without arguments.
    @param pool: the pool in which the port serves; C{twistd rserpool-pe} and
        L{PooledService<rserpool.element.pooled.PooledService>} fill it in.
    @param cookies: how states are made cookies:
        L{SignedCookies<rserpool.core.session.cookies.SignedCookies>} or, by an explicit choice,
        L{UnsignedCookies<rserpool.core.session.cookies.UnsignedCookies>}; None for a service without state.
    @param ppid: the SCTP payload protocol identifier of our messages.
    @param speaks_first: whether a session over SCTP starts before anything came. A cookie may then come too late.
    @param longest: the most bytes of a message over TCP that users may send; who sends more is dropped.
    @param tls: what shows a certificate to users, who then speak TLS alone, over TCP and SCTP:
        C{PrivateCertificate.options()}, for example. On C{ssl:} strings it is not needed.
    @param wall: wall-clock time in seconds since 1970, for the age of cookies.
    @ivar pools: all pools in which the port serves.
    @ivar sessions: those that are here now.
    """

    session_framing = SESSION_FRAMING_VERSION
    noisy = False

    def __init__(
        self,
        build: Callable[[], SessionProtocol],
        *,
        pool: bytes | str = b"",
        cookies: Cookies | None = None,
        ppid: int = 0,
        speaks_first: bool = False,
        longest: int = LONGEST_FRAME,
        tls: Any = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._build = build
        self.cookies = cookies
        self.ppid = checked_ppid(ppid)
        self.speaks_first = speaks_first
        self.longest = longest
        self.wall = wall
        self._tls: Any = None
        if tls is not None:
            # It loads OpenSSL.
            from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

            # A link gathers what it says itself: the clock is for those who do not.
            self._tls = TLSMemoryBIOFactory(tls, False, Factory.forProtocol(self._taken), Clock())
            self._tls.protocol = TLSMemoryBIOProtocol
        self._next: FramedLink | None = None
        self._unread = Outgoing()
        self._admission: Admission[FramedLink] | None = None
        self.log = LimitedLog(Logger(), time.monotonic)
        self.sessions: set[ElementSession] = set()
        self.successors: tuple[tuple[PoolElementParameter, ...], bool] = ((), False)
        self.pools: tuple[bytes, ...] = (handle_of(pool),) if pool else ()

    @property
    def pool(self) -> bytes:
        """The first of the pools; empty if none is known yet."""
        return self.pools[0] if self.pools else b""

    def serves_in(self, pools: Sequence[bytes | str]) -> None:
        """The port is registered in these pools."""
        self.pools = tuple(map(handle_of, pools))

    def name_successors(self, elements: Iterable[PoolElementParameter], *, exclusive: bool = False) -> None:
        """Name those who should serve our sessions when we fail, present sessions and those to come.

        @param exclusive: whether the sessions may go to no others.
        """
        self.successors = tuple(elements), exclusive
        for session in list(self.sessions):
            session.name_successors(self.successors[0], exclusive=exclusive)

    def buildProtocol(self, addr: Any) -> Any:
        """A link, which is what the transport talks to."""
        over_tcp = getattr(addr, "type", None) != "SCTP"
        if self._tls is not None:
            self._next = self._admitted(addr) if over_tcp else self._framed()
            return None if self._next is None else self._tls.buildProtocol(addr)
        if over_tcp:
            return self._admitted(addr)
        link = SctpLink(self._session(), self.ppid)
        link.log, link.unread = self.log, self._unread
        return link

    def _taken(self) -> FramedLink:
        """What TLS is wrapped around."""
        assert self._next is not None
        return self._next

    def _session(self) -> ElementSession:
        protocol = self._build()
        protocol.factory = self
        session = protocol.session = ElementSession(self, protocol)
        return session

    def _admitted(self, addr: Any) -> FramedLink | None:
        """A link over TCP; None if there is no room for it. Where all room is taken, another one may have to go."""
        host, now = getattr(addr, "host", None), time.monotonic()
        if host is None:
            return self._framed()
        if self._admission is None:
            most = descriptors_left()
            self._admission = Admission(most, most)
        welcome, victim = self._admission.room(host, now)
        if victim is not None:
            self.log.warn("too many connections: one of {peer} has to go", peer=victim)
            self._admission.goes(victim)
            victim.abort()
        if not welcome:
            self.log.warn("too many connections: {host} gets no more", host=host)
            return None
        link = self._framed()
        self._admission.comes(link, host, now)
        link.speaks, link.gone = self._admission.speaks, self._admission.goes
        return link

    def _framed(self) -> FramedLink:
        link = FramedLink(self._session(), Hello(), self.longest)
        link.patience = HELLO
        link.log = self.log
        return link

    def __repr__(self) -> str:
        return f"<SessionFactory of {', '.join(map(handle_text, self.pools)) or 'no pool yet'}>"
