"""Twisted endpoints over SCTP, for factories of message protocols and of ordinary ones alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.error import DNSLookupError, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress, is_name
from rserpool.core.errors import ConfigurationError
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.lookup import with_addresses
from rserpool.sctp.one_to_one.connector import TIMEOUT, SctpConnector
from rserpool.sctp.one_to_one.ports import listenSCTP


@implementer(IStreamServerEndpoint)
@dataclass(frozen=True)
class SctpServerEndpoint:
    """Serves on an SCTP port.

    @ivar port: the SCTP port; 0 lets the stack choose one.
    @ivar interface: local IP addresses, separated by commas; none means all.
    @ivar udp: see C{encapsulation} of L{listenSCTP<rserpool.sctp.one_to_one.ports.listenSCTP>}.
    @ivar stack: C{None} opens one.
    @ivar backend: which one: see L{open_stack<rserpool.sctp.stack.open_stack>}.
    """

    reactor: Any
    port: int
    interface: str = ""
    udp: int | None = None
    stack: ISctpStack | None = None
    backend: str = "auto"

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen.

        @return: a C{Deferred} of an L{SctpPort<rserpool.sctp.one_to_one.ports.SctpPort>}, or of C{CannotListenError} or
            L{SctpUnavailable<rserpool.core.errors.SctpUnavailable>}.
        """
        hosts = tuple(self.interface.split(",")) if self.interface else ()
        options: dict[str, Any] = {"stack": self.stack, "encapsulation": self.udp, "backend": self.backend}
        return execute(listenSCTP, self.reactor, self.port, factory, hosts, **options)


@implementer(IStreamClientEndpoint)
@dataclass(frozen=True)
class SctpClientEndpoint:
    """Opens associations to one peer.

    @ivar peer: C{peer.encapsulation} 0 means plain SCTP, or with usrsctp the well-known UDP port 9899.
    @ivar timeout: seconds that a connect may take.
    @ivar stack: C{None} opens one with C{backend}.
    @ivar backend: see L{open_stack<rserpool.sctp.stack.open_stack>}.
    """

    reactor: Any
    peer: TransportAddress
    timeout: float = TIMEOUT
    stack: ISctpStack | None = None
    backend: str = "auto"

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open an association.

        @return: a C{Deferred} of the factory's protocol, that can be cancelled; it fails with a C{ConnectError},
            C{NoProtocol}, or L{SctpUnavailable<rserpool.core.errors.SctpUnavailable>}.
        """
        if any(map(is_name, self.peer.hosts)):
            return Deferred.fromCoroutine(self._connect_by_name(factory))
        connecting = _Connecting(factory)
        connecting.connector = connector = SctpConnector(
            self.reactor, self.peer, connecting, self.timeout, (), self.stack, self.backend, connecting.connectionMade
        )
        try:
            connector.connect()
        except Exception:
            return fail()
        return connecting.connected

    async def _connect_by_name(self, factory: IProtocolFactory) -> IProtocol:
        try:
            peer = await with_addresses(self.reactor, self.peer)
        except ConfigurationError as error:
            raise DNSLookupError(str(error)) from None
        return await replace(self, peer=peer).connect(factory)


class _Connecting(ClientFactory):
    """Tells a Deferred about the one connection that the factory within is wanted for."""

    noisy = False
    connector: IConnector

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self.connected: Deferred[IProtocol] = Deferred(lambda _: self.connector.disconnect())

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, address: IAddress | None) -> Any:
        protocol = self._factory.buildProtocol(address)  # type: ignore[arg-type]
        if protocol is None:
            self.connected.errback(NoProtocol())
        return protocol

    def connectionMade(self, protocol: Any) -> None:
        """The protocol has its transport."""
        if not self.connected.called:
            self.connected.callback(protocol)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        if not self.connected.called:
            self.connected.errback(reason)

    clientConnectionLost = clientConnectionFailed
