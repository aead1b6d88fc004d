"""SCTP ports in the one-to-one style: L{listenSCTP} is to SCTP what C{reactor.listenTCP} is to TCP."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.one_to_one.protocols import OneToOne
from rserpool.sctp.one_to_one.transport import SctpAddress
from rserpool.sctp.stack import open_stack

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
            self._stack = open_stack(
                self._reactor, backend=self._backend, hosts=hosts, encapsulation=self._encapsulation, registrar=True
            )
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


def sctp_ports(reactor: Any) -> list[SctpPort]:
    """The SCTP ports that are open in this reactor, in the order in which they were opened."""
    return list(_ports.get(reactor, ()))
