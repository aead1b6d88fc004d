"""One association with a protocol: L{connectSCTP} is to SCTP what C{reactor.connectTCP} is to TCP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.error import NotConnectingError, TimeoutError
from twisted.internet.interfaces import IConnector, IDelayedCall, IProtocolFactory
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress, scope
from rserpool.sctp.interfaces import ISctpAssociation, ISctpStack
from rserpool.sctp.one_to_one.protocols import OneToOne
from rserpool.sctp.one_to_one.transport import SctpAddress

TIMEOUT = 30.0
"""Seconds that a connect may take, where nothing else is said."""


@implementer(IConnector)
@dataclass(eq=False)
class SctpConnector:
    """One association that is opened, or open.

    @ivar made: called with each protocol once it has its transport.
    """

    reactor: Any
    peer: TransportAddress
    factory: ClientFactory
    timeout: float
    hosts: tuple[str, ...] = ()
    stack: ISctpStack | None = None
    backend: str = "auto"
    made: Callable[[Any], None] = lambda protocol: None
    _attempt: _Attempt | None = field(default=None, init=False)

    def connect(self) -> None:
        """Open the association; also again, once it is lost.

        @raise RuntimeError: if it is being opened, or is open.
        @raise CannotListenError: if there is no local port for it.
        @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
        """
        if self._attempt is not None:
            raise RuntimeError("it is connected, or connecting")
        hosts = self.hosts
        if self.stack is None and not hosts:
            hosts = _towards(self.peer)
        attempt = _Attempt(self.reactor, self.factory)
        attempt.made = self.made
        attempt.finished = self._finished
        towards_udp = bool(self.peer.encapsulation)
        attempt.open(self.stack, 0, hosts, False, backend=self.backend, towards_udp=towards_udp)
        self._attempt = attempt
        self.factory.doStart()
        self.factory.startedConnecting(self)
        attempt.start(self.peer, self.timeout)

    def stopConnecting(self) -> None:
        """Give up.

        @raise NotConnectingError: if it is not being opened.
        """
        if self._attempt is None or self._attempt.up:
            raise NotConnectingError
        self._attempt.association.abort()

    def disconnect(self) -> None:
        """Close it, or give up opening it."""
        if self._attempt is not None and self._attempt.up:
            self._attempt.association.close()
        else:
            self.stopConnecting()

    def getDestination(self) -> SctpAddress:
        """Whom we dial."""
        return SctpAddress(self.peer.hosts, self.peer.port, self.peer.encapsulation)

    def _finished(self, attempt: _Attempt, reason: Failure) -> None:
        self._attempt = None
        if attempt.up:
            self.factory.clientConnectionLost(self, reason)
        else:
            self.factory.clientConnectionFailed(self, reason)
        if self._attempt is None:
            self.factory.doStop()


class _Attempt(OneToOne):
    """One association of a connector, with an endpoint of its own."""

    association: ISctpAssociation
    finished: Callable[[_Attempt, Failure], None]

    def __init__(self, reactor: Any, factory: IProtocolFactory) -> None:
        super().__init__(reactor, factory)
        self.up = False
        self._timer: IDelayedCall | None = None
        self._timed_out = False

    def start(self, peer: TransportAddress, timeout: float) -> None:
        """Dial."""
        self.association = self.endpoint.connect(peer)
        self._timer = self._reactor.callLater(timeout, self._time_out)

    def associationUp(self, association: ISctpAssociation) -> None:
        self.up = True
        self._stop_timer()
        super().associationUp(association)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._stop_timer()
        if self._timed_out:
            reason = Failure(TimeoutError())
        try:
            super().associationLost(association, reason)
        finally:
            self.endpoint.abort()
            self.release()
            self.finished(self, reason)

    def _time_out(self) -> None:
        self._timed_out = True
        self.association.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def connectSCTP(
    reactor: Any,
    peer: TransportAddress,
    factory: ClientFactory,
    timeout: float = TIMEOUT,
    hosts: tuple[str, ...] = (),
    *,
    stack: ISctpStack | None = None,
    backend: str = "auto",
) -> SctpConnector:
    """Open an association.

    @param peer: its IP addresses; client endpoints look names up, too.
    @param timeout: seconds that it may take.
    @param hosts: local IP addresses; none means those that fit the peer's.
    @param stack: where to open it; C{None} opens one with C{backend}.
    @param backend: see L{open_stack<rserpool.sctp.stack.open_stack>}.
    @raise CannotListenError: if there is no local port for it.
    @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
    """
    connector = SctpConnector(reactor, peer, factory, timeout, hosts, stack, backend)
    connector.connect()
    return connector


def _towards(peer: TransportAddress) -> tuple[str, ...]:
    """Local addresses from which C{peer} can be reached."""
    hosts: dict[str, None] = {}
    for host in peer.hosts:
        if scope(host) == "loopback":
            hosts["::1" if ":" in host else "127.0.0.1"] = None
        else:
            hosts["::" if ":" in host else "0.0.0.0"] = None
    return tuple(hosts)
