"""A registrar of a scope."""

from __future__ import annotations

from typing import Any

from rserpool.core.addresses import ASAP_PORT, TransportAddress
from rserpool.core.handles import handle_of
from rserpool.core.registrar import Registrar
from rserpool.registrar.service import RegistrarService
from rserpool.testing.process import Process, Surroundings


class RegistrarProcess(Process):
    """A registrar; it knows the others by C{peers}.

    @ivar service: its L{RegistrarService}.
    @ivar address: where elements and users reach it over SCTP.
    @ivar tcp_address: where users reach it over TCP.
    """

    letter, net = "r", 0
    _registrar = True
    service: RegistrarService

    def __init__(self, scope: Surroundings, name: str, host: str, options: dict[str, Any]) -> None:
        super().__init__(scope, name, host, options)
        self.address = TransportAddress((host,), ASAP_PORT)
        self.tcp_address = TransportAddress((host,), ASAP_PORT, protocol="tcp")

    @property
    def role(self) -> Registrar:
        return self.service.registrar

    @property
    def identifier(self) -> int:
        """Its ENRP server identifier; a new one after each start, unless the option C{identifier} gives one."""
        return self.role.identifier

    @property
    def ready(self) -> bool:
        """Whether it serves (RFC 5353 section 3.2)."""
        return self.alive and self.role.peering.ready

    def elements(self, pool: bytes | str) -> dict[int, Any]:
        """The elements that it knows in a pool, by PE identifier; none if it does not know the pool."""
        handle = handle_of(pool)
        found = self.role.handlespace.pools.get(handle)
        return {} if found is None else dict(found.elements)

    @property
    def peers(self) -> set[int]:
        """The server identifiers of the other registrars that it knows."""
        return {peer.identifier for peer in self.role.peering.peers}

    def _start(self) -> None:
        # Garbage is an affair of the whole interpreter, which it shares with the test.
        options = {"profile": self.scope.profile, "peers": self.scope.peers_of(self.host), "tame_garbage": False}
        self.service = RegistrarService(
            self.reactor, asap=self.address, stack=self.stack, random=self.random, **{**options, **self._options}
        )
        self._listen()
        self.note(f"starts as 0x{self.identifier:x}")
        self.service.startService()
        self._hear()
