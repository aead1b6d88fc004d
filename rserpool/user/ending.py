"""A client endpoint that says when a connection that it made has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy


@implementer(IStreamClientEndpoint)
class EndingEndpoint:
    """Connects as another endpoint does.

    @param ended: called when a protocol has been told that its connection is lost.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, ended: Callable[[], object]) -> None:
        self._endpoint = endpoint
        self._ended = ended

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """As the other endpoint does."""
        factory: Any = _Factory(protocolFactory, self._ended)
        connecting = self._endpoint.connect(factory)
        return connecting.addCallback(lambda protocol: getattr(protocol, "told", protocol))


class _Factory:
    """Wraps what a factory builds; in all else it is the factory."""

    def __init__(self, factory: IProtocolFactory, ended: Callable[[], object]) -> None:
        self._factory = factory
        self._ended = ended
        directlyProvides(self, providedBy(factory))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._factory, name)

    def buildProtocol(self, address: IAddress) -> Any:
        protocol = self._factory.buildProtocol(address)
        return None if protocol is None else _Told(protocol, self._ended)


class _Told:
    """A protocol that is told everything, and the end to others as well.

    @ivar told: the protocol.
    """

    def __init__(self, protocol: Any, ended: Callable[[], object]) -> None:
        self.told = protocol
        self._ended = ended
        directlyProvides(self, providedBy(protocol))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.told, name)

    def connectionLost(self, reason: Failure) -> None:
        try:
            self.told.connectionLost(reason)
        finally:
            self._ended()
