"""One SCTP port over which TLS is spoken, and the stack that opens it (RFC 3436)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress, places
from rserpool.core.identity import Identity
from rserpool.sctp.base import tell
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpHandler, ISctpStack
from rserpool.sctp.tls.association import TlsAssociation
from rserpool.sctp.tls.attempt import Attempt, NotNeeded
from rserpool.sctp.tls.channel import TlsChannel
from rserpool.sctp.tls.greeting import FRESH, Ready
from rserpool.sctp.tls.handshakes import WAITING, WAITING_OF_ONE, Some, Turn
from rserpool.security.failure import TlsFailure

_log = Logger()


@implementer(ISctpEndpoint, ISctpHandler)
class TlsEndpoint:
    """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}; the endpoint beneath reports to it."""

    def __init__(self, reactor: Any, handler: ISctpHandler, channel: TlsChannel) -> None:
        self.reactor = reactor
        self.handler = handler
        self.channel = channel
        self.inner: Any = None
        self.ready = Ready()
        # Whether we have dialled somebody before, and lately.
        self._again = False
        self._present: dict[ISctpAssociation, TlsAssociation] = {}
        # Whoever has dialled us, while its handshake is under way; and who wants to dial it meanwhile.
        self._coming: dict[tuple[str, int, int, str], TlsAssociation] = {}
        self._attempts: dict[TlsAssociation, list[Attempt]] = {}
        self._some = Some(lambda call: reactor.callLater(0, call))
        # Whoever has not proved anything yet.
        self._guests = Guests(reactor, "associations without a TLS handshake", WAITING, WAITING_OF_ONE)

    def __repr__(self) -> str:
        return f"<TLS over {self.inner!r}>"

    # What users call.

    @property
    def port(self) -> int:
        return int(self.inner.port)

    @property
    def hosts(self) -> tuple[str, ...]:
        return cast("tuple[str, ...]", self.inner.hosts)

    @property
    def associations(self) -> int:
        return int(self.inner.associations)

    def connect(self, peer: TransportAddress, expected: Collection[Identity] | None = None) -> TlsAssociation | Attempt:
        """See L{ISctpEndpoint.connect}.

        @param expected: the names one of which the peer's certificate has to have; None: those of a learned peer.
        """
        for place in places(peer):
            coming = self._coming.get(place)
            if coming is not None:
                attempt = Attempt(self, peer)
                self._attempts.setdefault(coming, []).append(attempt)
                return attempt
        now = self.reactor.seconds()
        self._again, self.ready.dialled = now - self.ready.dialled < FRESH, now
        inner = self.inner.connect(peer)
        association = self._present[inner] = TlsAssociation(self, inner, expected)
        try:
            association.prepare()
        except TlsFailure as failure:
            association.fail(str(failure))
        return association

    def setHeartbeat(self, seconds: float) -> None:
        self.inner.setHeartbeat(seconds)

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        return bool(self.inner.changeHosts(hosts))

    def acceptNoMore(self) -> None:
        self.inner.acceptNoMore()

    def stopListening(self) -> Deferred[None]:
        for association in list(self._present.values()):
            if association.established:
                association.close()
            else:
                association.abort()
        return cast("Deferred[None]", self.inner.stopListening())

    def abort(self) -> None:
        self.inner.abort()

    # What associations call.

    def opened(self) -> None:
        """An association that we dialled is up: who dials again and again has the next hello ready."""
        if self._again:
            self._again = False
            self.reactor.callLater(0, self._make_ready)

    def _make_ready(self) -> None:
        side = self.channel.sides.client
        if side is not None and side.own is not None:
            with suppress(TlsFailure):
                self.ready.make(side, self.reactor.seconds())

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""
        tell(_log, getattr(self.handler, method), *arguments)

    def over(self, association: TlsAssociation) -> None:
        """Its handshake is over, one way or another."""
        if not association.outbound:
            self._guests.goes(association)
            for place in places(association.peer):
                if self._coming.get(place) is association:
                    del self._coming[place]
            for attempt in self._attempts.pop(association, ()):
                # The handler has heard of the association by then.
                self.reactor.callLater(0, attempt.end)
        for other in self.channel.handshakes.over(association):
            if self.has_time_for(other):
                other.go_on()

    def has_time_for(self, association: Turn) -> bool:
        """Whether its handshake is begun at once; else it goes on soon."""
        return self._some.has_room(association)

    def attempted(self, attempt: Attempt) -> None:
        """An attempt has come to its end."""
        self.tell("associationLost", attempt, Failure(NotNeeded()))

    def failed(self, association: TlsAssociation, why: str) -> None:
        """TLS with this peer has failed."""
        self.channel.handshakes.failed += 1
        self.channel.suspects.failed(str(association.peer), association.peer.hosts[0], why, self.reactor.seconds())

    # What the endpoint beneath calls.

    def associationUp(self, association: ISctpAssociation) -> None:
        tls = self._present.get(association)
        if tls is None:
            tls = TlsAssociation(self, association, None)
            host = association.peer.hosts[0]
            if not self._guests.room(host):
                association.abort()
                return
            self._present[association] = tls
            self._coming.update(dict.fromkeys(places(tls.peer), tls))
            self._guests.comes(tls, host)
        tls.begin()

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        tls = self._present.get(association)
        if tls is not None:
            if stream or unordered:
                tls.fail("it sends something beside TLS")
            else:
                tls.received(data)

    def sendFailed(self, association: ISctpAssociation, data: bytes, ppid: int) -> None:
        """A record: what is in it cannot be told any more."""

    def associationPaused(self, association: ISctpAssociation) -> None:
        tls = self._present.get(association)
        if tls is not None and tls.established:
            tls.paused()

    def associationResumed(self, association: ISctpAssociation) -> None:
        tls = self._present.get(association)
        if tls is not None and tls.established:
            tls.resumed()

    def addressChanged(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        tls = self._present.get(association)
        if tls is not None and tls.established:
            self.tell("addressChanged", tls, host, reachable)

    def peerAddressesChanged(self, association: ISctpAssociation) -> None:
        tls = self._present.get(association)
        if tls is not None and tls.established:
            self.tell("peerAddressesChanged", tls)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        tls = self._present.pop(association, None)
        if tls is not None:
            tls.lost(reason)


@implementer(ISctpStack)
class TlsStack:
    """A stack whose endpoints speak TLS; several may stand on one."""

    def __init__(self, reactor: Any, inner: ISctpStack, channel: TlsChannel) -> None:
        """
        @param reactor: whose clock it is.
        @param inner: the stack beneath.
        @param channel: what TLS is like here.
        """
        self._reactor = reactor
        self._inner = inner
        self._channel = channel

    @property
    def name(self) -> str:
        """That of the stack beneath."""
        return str(self._inner.name)

    @property
    def encapsulation_port(self) -> int:
        """That of the stack beneath."""
        return int(self._inner.encapsulation_port)

    @property
    def heartbeats(self) -> int:
        """Those of the stack beneath."""
        return int(self._inner.heartbeats)

    def open(self, port: int, handler: ISctpHandler, hosts: tuple[str, ...], listening: bool = True) -> TlsEndpoint:
        """See L{ISctpStack.open}."""
        endpoint = TlsEndpoint(self._reactor, handler, self._channel)
        endpoint.inner = self._inner.open(port, endpoint, hosts, listening)
        return endpoint

    def close(self) -> Deferred[None]:
        """Close the stack beneath."""
        return self._inner.close()
