"""SCTP ports in the one-to-one style: L{listenSCTP} is to SCTP what C{reactor.listenTCP} is to TCP."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpStack
from rserpool.sctp.one_to_one.protocols import OneToOne
from rserpool.sctp.one_to_one.transport import SctpAddress

MOST, MOST_OF_ONE = 20_000, 2_000
"""So many associations a port accepts, and so many of one machine."""
_ports: WeakKeyDictionary[Any, list[SctpPort]] = WeakKeyDictionary()


@implementer(IListeningPort)
class SctpPort:
    """An SCTP port on which a factory's protocols serve.

    @ivar factory: whose protocols.
    @ivar context: in which it was opened: that tells by whom.
    """

    _log = Logger()

    def __init__(self, reactor: Any, factory: IProtocolFactory, opened: Callable[[OneToOne], None]) -> None:
        """
        @param opened: opens the endpoint.
        """
        self.factory = factory
        self._reactor = reactor
        self._opened = opened
        self._serving = OneToOne(reactor, factory)
        self._serving.guests = Guests(reactor, "associations", MOST, MOST_OF_ONE)
        self._stopping: Deferred[None] | None = None

    def __repr__(self) -> str:
        return f"<SctpPort {self._serving.local.port} of {self.factory!r}>"

    def startListening(self) -> None:
        """Open the port.

        @raise CannotListenError: if it is taken or an address is not local.
        @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
        """
        self._opened(self._serving)
        self._stopping = None
        self.context: Context = copy_context()
        _ports.setdefault(self._reactor, []).append(self)
        host = self.getHost()
        if getattr(self.factory, "noisy", True):
            self._log.info(
                "{factory} starts on {where} (SCTP{over})",
                factory=type(self.factory).__name__,
                where=str(TransportAddress(host.hosts, host.port, host.encapsulation)),
                over=f" over UDP port {host.encapsulation}" if host.encapsulation else "",
            )
        self.factory.doStart()

    def acceptNoMore(self) -> None:
        """Refuse new associations; those that are there stay, and the factory knows them when this returns."""
        self._serving.endpoint.acceptNoMore()

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
        await self._serving.release()
        self.factory.doStop()

    def getHost(self) -> SctpAddress:
        """Where it listens."""
        return self._serving.local

    @property
    def endpoint(self) -> ISctpEndpoint:
        """What it stands on."""
        return self._serving.endpoint

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
    @param encapsulation: the UDP port of SCTP over UDP (RFC 6951) for a stack of its own; C{None} takes any. Only
        registrars take the well-known ones, 9899 and less, by themselves: clients that are told none look at 9899.
    @param backend: which SCTP a stack of its own is: see L{open_stack<rserpool.sctp.stack.open_stack>}.
    @raise CannotListenError: if a port is taken or an address is not local.
    @raise rserpool.core.errors.SctpUnavailable: if this machine has no SCTP.
    """

    def opened(serving: OneToOne) -> None:
        serving.open(stack, port, hosts, True, backend=backend, encapsulation=encapsulation)

    listening = SctpPort(reactor, factory, opened)
    listening.startListening()
    return listening


def sctp_ports(reactor: Any) -> list[SctpPort]:
    """The SCTP ports that are open in this reactor, in the order in which they were opened."""
    return list(_ports.get(reactor, ()))
