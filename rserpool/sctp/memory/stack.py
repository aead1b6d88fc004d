"""One process of a network in memory, as its users see it."""

from __future__ import annotations

from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from zope.interface import implementer

from rserpool.sctp.interfaces import ISctpHandler, ISctpStack
from rserpool.sctp.memory.association import MemoryAssociation
from rserpool.sctp.memory.endpoint import MemoryEndpoint, MemoryProcess
from rserpool.sctp.memory.medium import Medium


@implementer(ISctpStack)
class MemoryStack(MemoryProcess):
    """One process of a L{Network<rserpool.sctp.memory.Network>}."""

    name = "memory"
    heartbeats = 0

    def __init__(self, network: Medium[Any], machine: str, hosts: tuple[str, ...], encapsulation_port: int) -> None:
        super().__init__(network, machine, hosts, encapsulation_port)
        self._ephemeral = count(32768)

    def __repr__(self) -> str:
        return f"<MemoryStack {','.join(self.hosts)}/{self.encapsulation_port}>"

    def open(
        self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True
    ) -> MemoryEndpoint:
        """See L{ISctpStack.open}; no hosts, C{0.0.0.0} and C{::} mean all addresses (of the family)."""
        own: list[str] = []
        for host in hosts or self.hosts:
            if host in ("0.0.0.0", "::"):
                own += [each for each in self.hosts if (":" in each) == (":" in host)]
            elif host in self.hosts:
                own.append(host)
            else:
                raise CannotListenError(host, port, OSError("not an address of this host"))
        port = port or next(number for number in self._ephemeral if number not in self.endpoints)
        if self.crashed or port in self.endpoints:
            raise CannotListenError(own[0], port, OSError("SCTP port taken"))
        self.endpoints[port] = endpoint = MemoryEndpoint(self, port, handler, tuple(dict.fromkeys(own)), listening)
        return endpoint

    def close(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        for endpoint in list(self.endpoints.values()):
            endpoint.abort()
        self.network.unbind(self)
        # After the calls that abort() scheduled for the same instant.
        self.network.clock.callLater(0, done.callback, None)
        return done

    def crash(self) -> None:
        """The process is killed."""
        self.crashed = True
        for association in self.all_associations():
            association.die()
        for endpoint in self.endpoints.values():
            endpoint.abandon()

    def all_associations(self) -> list[MemoryAssociation]:
        """The present associations of all endpoints."""
        return [association for endpoint in self.endpoints.values() for association in endpoint.present]
