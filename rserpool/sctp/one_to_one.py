"""SCTP in the one-to-one style: each association has a protocol of its own, built by a factory.

L{listenSCTP} and L{connectSCTP} are to SCTP what C{reactor.listenTCP} and C{reactor.connectTCP} are to TCP. A factory
may build protocols that provide L{ISctpProtocol}, or ordinary ones, which then see a stream of bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.error import NotConnectingError, TimeoutError
from twisted.internet.interfaces import IConnector, IDelayedCall, IListeningPort, IProtocolFactory
from twisted.internet.protocol import ClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress, scope
from rserpool.sctp.interfaces import ISctpAssociation, ISctpStack
from rserpool.sctp.protocols import OneToOne
from rserpool.sctp.transport import SctpAddress

TIMEOUT = 30.0
"""Seconds that a connect may take, where nothing else is said."""

_ports: WeakKeyDictionary[Any, list[SctpPort]] = WeakKeyDictionary()


@implementer(IListeningPort)
class SctpPort:
    """An SCTP port on which a factory's protocols serve."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        port: int,
        factory: IProtocolFactory,
        hosts: tuple[str, ...],
        stack: ISctpStack | None,
        encapsulation: int | None,
        backend: str = "auto",
    ) -> None:
        self._port = port
        self._factory = factory
        self._hosts = hosts
        self._stack = stack
        self._own = stack is None
        self._encapsulation = encapsulation
        self._backend = backend
        self._reactor = reactor
        self._serving = OneToOne(reactor, factory)
        self._stopping: Deferred[None] | None = None

    def __repr__(self) -> str:
        return f"<SctpPort {self._port} of {self._factory!r}>"

    def startListening(self) -> None:
        """Open the port.

        @raise CannotListenError: if it is taken or an address is not local.
        @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
        """
        if self._own:
            hosts = self._hosts or ("0.0.0.0",)
            self._stack = _open_stack(self._reactor, hosts, self._encapsulation, listening=True, backend=self._backend)
        assert self._stack is not None
        try:
            self._serving.open(self._stack, self._port, self._hosts, listening=True)
        except BaseException:
            if self._own:
                self._stack.close()
            raise
        self._stopping = None
        _ports.setdefault(self._reactor, []).append(self)
        host = self.getHost()
        if getattr(self._factory, "noisy", True):
            self._log.info(
                "{factory} starts on {where} (SCTP{over})",
                factory=type(self._factory).__name__,
                where=str(TransportAddress(host.hosts, host.port, host.encapsulation)),
                over=f" over UDP port {host.encapsulation}" if host.encapsulation else "",
            )
        self._factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Free the port. Unlike over TCP this ends the associations, too, gracefully.

        @return: a C{Deferred} that fires with C{None} when they are gone.
        """
        if self._stopping is None:
            _ports[self._reactor].remove(self)
            self._stopping = Deferred.fromCoroutine(self._stop())
        waiting: Deferred[None] = Deferred()
        self._stopping.chainDeferred(waiting)
        return waiting

    async def _stop(self) -> None:
        await self._serving.endpoint.stopListening()
        if self._own and self._stack is not None:
            await self._stack.close()
        self._factory.doStop()

    def getHost(self) -> SctpAddress:
        """Where it listens."""
        return self._serving.local

    @property
    def factory(self) -> IProtocolFactory:
        """Whose protocols serve."""
        return self._factory

    @property
    def associations(self) -> int:
        """How many associations are up or being set up."""
        return int(self._serving.endpoint.associations)


@implementer(IConnector)
class SctpConnector:
    """One association that is opened, or open."""

    def __init__(
        self,
        reactor: Any,
        peer: TransportAddress,
        factory: ClientFactory,
        timeout: float,
        hosts: tuple[str, ...],
        stack: ISctpStack | None,
        connected: Callable[[Any], None] = lambda protocol: None,
        backend: str = "auto",
    ) -> None:
        """
        @param connected: called with each protocol once it has its transport.
        """
        self._backend = backend
        self._reactor = reactor
        self._connected = connected
        self._peer = peer
        self._factory = factory
        self._timeout = timeout
        self._hosts = hosts
        self._given = stack
        self._attempt: _Attempt | None = None

    def connect(self) -> None:
        """Open the association; also again, once it is lost.

        @raise RuntimeError: if it is being opened, or is open.
        @raise CannotListenError: if there is no local port for it.
        @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
        """
        if self._attempt is not None:
            raise RuntimeError("it is connected, or connecting")
        hosts = self._hosts
        if self._given is None and not hosts:
            hosts = _towards(self._peer)
        stack = self._given or _open_stack(
            self._reactor, hosts, None, False, self._backend, towards_udp=bool(self._peer.encapsulation)
        )
        attempt = _Attempt(self._reactor, self._factory, stack, own=self._given is None)
        attempt.made = self._connected
        attempt.finished = self._finished
        try:
            attempt.open(stack, 0, hosts, listening=False)
        except BaseException:
            attempt.release()
            raise
        self._attempt = attempt
        self._factory.doStart()
        self._factory.startedConnecting(self)
        attempt.start(self._peer, self._timeout)

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
        return SctpAddress(self._peer.hosts, self._peer.port, self._peer.encapsulation)

    def _finished(self, attempt: _Attempt, reason: Failure) -> None:
        self._attempt = None
        if attempt.up:
            self._factory.clientConnectionLost(self, reason)
        else:
            self._factory.clientConnectionFailed(self, reason)
        if self._attempt is None:
            self._factory.doStop()


class _Attempt(OneToOne):
    """One association of a connector, with an endpoint of its own."""

    association: ISctpAssociation
    finished: Callable[[_Attempt, Failure], None]

    def __init__(self, reactor: Any, factory: IProtocolFactory, stack: ISctpStack, own: bool) -> None:
        super().__init__(reactor, factory)
        self.up = False
        self._stack = stack
        self._own = own
        self._timer: IDelayedCall | None = None
        self._timed_out = False

    def start(self, peer: TransportAddress, timeout: float) -> None:
        """Dial."""
        self.association = self.endpoint.connect(peer)
        self._timer = self._reactor.callLater(timeout, self._time_out)

    def release(self) -> None:
        """Free the port, and our share of the stack."""
        if self._own:
            self._stack.close()

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


def listenSCTP(
    reactor: Any,
    port: int,
    factory: IProtocolFactory,
    hosts: tuple[str, ...] = (),
    *,
    stack: ISctpStack | None = None,
    encapsulation: int | None = None,
    backend: str = "auto",
) -> SctpPort:
    """Serve on an SCTP port.

    @param port: the SCTP port; 0 lets the stack choose one.
    @param hosts: local IP addresses; none means all.
    @param stack: where to open it; C{None} opens the best stack of this machine.
    @param encapsulation: the UDP port of SCTP over UDP (RFC 6951) for a stack of its own; C{None} takes the first free
        one of 9899, 9898, ... 9892, where clients look first.
    @param backend: which SCTP a stack of its own is: see L{open_stack<rserpool.sctp.stack.open_stack>}.
    @raise CannotListenError: if a port is taken or an address is not local.
    @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
    """
    listening = SctpPort(reactor, port, factory, hosts, stack, encapsulation, backend)
    listening.startListening()
    return listening


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

    @param timeout: seconds that it may take.
    @param hosts: local IP addresses; none means those that fit the peer's.
    @param stack: where to open it; C{None} opens one with C{backend}.
    @param backend: see L{open_stack<rserpool.sctp.stack.open_stack>}.
    @raise CannotListenError: if there is no local port for it.
    @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
    """
    connector = SctpConnector(reactor, peer, factory, timeout, hosts, stack, backend=backend)
    connector.connect()
    return connector


def sctp_ports(reactor: Any) -> list[SctpPort]:
    """The SCTP ports that are open in this reactor, in the order in which they were opened."""
    return list(_ports.get(reactor, ()))


def _open_stack(
    reactor: Any,
    hosts: tuple[str, ...],
    encapsulation: int | None,
    listening: bool,
    backend: str = "auto",
    towards_udp: bool = False,
) -> ISctpStack:
    # Only who has no stack of his own needs a backend.
    from rserpool.sctp.stack import open_stack

    return open_stack(
        reactor,
        backend=backend,
        hosts=hosts,
        encapsulation=encapsulation,
        registrar=listening,
        towards_udp=towards_udp,
    )


def _towards(peer: TransportAddress) -> tuple[str, ...]:
    """Local addresses from which C{peer} can be reached."""
    hosts: dict[str, None] = {}
    for host in peer.hosts:
        if scope(host) == "loopback":
            hosts["::1" if ":" in host else "127.0.0.1"] = None
        else:
            hosts["::" if ":" in host else "0.0.0.0"] = None
    return tuple(hosts)
