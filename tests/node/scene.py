"""The services together: registrars, elements and users over SCTP in memory, on one clock that is advanced by hand."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.task import Clock

from rserpool.core import PoolElementParameter, TcpTransport, TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.sctp.memory import MemoryStack, Network
from rserpool.testing import Time
from rserpool.user import PoolChanged, PoolUserService


class Scene(Time):
    """One host for each process, 10.0.0.N; everything in the default profile.

    @ivar stacks: the SCTP stack of each service.
    """

    def __init__(self, case: Any, seed: int = 1) -> None:
        self.clock: Clock = Clock()
        self.network = Network(self.clock, seed)
        self.stacks: dict[Any, MemoryStack] = {}
        self._case = case
        self._random = Random(seed)
        self._hosts = 0

    def _stack(self, host: str | None = None, **options: Any) -> tuple[str, MemoryStack]:
        if host is None:
            self._hosts += 1
            host = f"10.0.0.{self._hosts}"
        return host, self.network.stack(host, **options)

    def _random_source(self) -> Random:
        return Random(self._random.random())

    def registrar(self, host: str | None = None, **options: Any) -> RegistrarService:
        """A registrar that serves; without a host on one of its own."""
        host, stack = self._stack(host, encapsulation=9899)
        options.setdefault("profile", DEFAULT)
        service = RegistrarService(
            self.clock, asap=TransportAddress((host,), 3863), tcp=False, stack=stack, random=self._random_source(),
            **options,
        )  # fmt: skip
        self.stacks[service] = stack
        service.startService()
        self._case.addCleanup(self._stop, service)
        return service

    def address(self, registrar: RegistrarService) -> TransportAddress:
        """Where this registrar is."""
        return TransportAddress(self.stacks[registrar].hosts, 3863, 9899)

    def element(self, *registrars: RegistrarService | TransportAddress, **options: Any) -> PoolElementService:
        """A process of its own host that may serve in pools."""
        host, stack = self._stack()
        where = [each if isinstance(each, TransportAddress) else self.address(each) for each in registrars]
        service = PoolElementService(
            self.clock, registrars=where, hosts=(host,), stack=stack, random=self._random_source(), **options
        )
        self.stacks[service] = stack
        service.startService()
        self._case.addCleanup(self._stop, service)
        return service

    def transport(self, element: PoolElementService, port: int = 80) -> TcpTransport:
        """A TCP port of the element's host."""
        return TcpTransport(port, self.stacks[element].hosts[0])

    def user(self, *registrars: RegistrarService, **options: Any) -> PoolUserService:
        """A user on a host of its own."""
        _, stack = self._stack()
        where = [self.address(each) for each in registrars]
        service = PoolUserService(self.clock, where, stack=stack, random=self._random_source(), **options)
        self.stacks[service] = stack
        service.startService()
        self._case.addCleanup(self._stop, service)
        return service

    def _stop(self, service: Any) -> None:
        stopped = service.stopService()
        self.network.heal()
        for stack in self.stacks.values():
            self.network.unsilence(stack)
        self.until(lambda: stopped.called)

    def crash(self, service: Any) -> None:
        """Kill the process of a service: nobody says goodbye."""
        self.network.crash(self.stacks[service])
        service.node.stop()

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.advance(seconds)


class Seen:
    """A pool as one user sees it."""

    def __init__(self, user: PoolUserService, handle: bytes = b"pool") -> None:
        self.history: list[tuple[int, ...] | None] = []
        self.elements: dict[int, PoolElementParameter] = {}
        user.subscribe(handle, self._changed)

    def _changed(self, change: PoolChanged) -> None:
        self.elements = {element.identifier: element for element in change.elements or ()}
        self.history.append(None if change.elements is None else tuple(sorted(self.elements)))
