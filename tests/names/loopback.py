"""A registrar and elements in this process: SCTP in memory, TCP over the loopback interface, on the real reactor."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rserpool.core import TcpTransport, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.core.wire.parameters import UserTransport
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.sctp.memory import Network
from rserpool.user import PoolUserService

network_reactor: Any = reactor
HOST = "127.0.0.1"
ROOT = str(Path(__file__).resolve().parents[2])


class Says(Protocol):
    """Sends its name."""

    def connectionMade(self) -> None:
        factory: Any = self.factory
        factory.asked += 1
        self.transport.write(factory.name)
        self.transport.loseConnection()


class Server(Factory):
    """A TCP server that says who it is."""

    protocol = Says

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.asked = 0
        self.port = network_reactor.listenTCP(0, self, interface=HOST)

    @property
    def number(self) -> int:
        """Its TCP port."""
        return self.port.getHost().port


def free_port() -> int:
    """A TCP port where nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class LoopbackCase(TestCase):
    """Tests that run beside a real registrar.

    @ivar where: C{HOST:PORT} of the registrar's TCP port.
    """

    timeout = 30

    def setUp(self) -> None:
        self.network = Network(reactor)
        self.asap = TransportAddress((HOST,), 3863, 9899)
        self._elements = 0
        self.services: list[PoolElementService] = []
        self.registrar = self._registrar(0)
        self.where = f"{HOST}:{self._tcp_port(self.registrar)}"

    def security(self, name: str, letter: str) -> Any:
        """What secures a process; nothing, unless a test says so."""
        return False

    def _registrar(self, port: int) -> RegistrarService:
        service = RegistrarService(
            reactor,
            asap=TransportAddress((HOST,), 3863),
            asap_tcp=TransportAddress((HOST,), port, protocol="tcp"),
            profile=FAST,
            stack=self.network.stack(HOST, encapsulation=9899),
            random=Random(1),
            security=self.security("r1", "r"),
        )
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def _tcp_port(self, service: RegistrarService) -> int:
        assert service.tcp_address is not None
        return service.tcp_address.port

    async def register(
        self,
        transport: UserTransport,
        pool: str = "pool",
        identifier: int | None = None,
        stack: Any = None,
        policy: str = "round-robin",
    ) -> int:
        """Register."""
        self._elements += 1
        service = PoolElementService(
            reactor, registrars=[self.asap], hosts=transport.addresses, profile=FAST, random=Random(self._elements),
            stack=stack or self.network.stack(*transport.addresses), checked=False,
            security=self.security(f"e{self._elements}", "e"),
        )  # fmt: skip
        service.startService()
        self.addCleanup(service.stopService)
        self.services.append(service)
        return await service.serve(pool, transport, policy, identifier=identifier or self._elements)

    async def server(self, name: bytes, policy: str = "round-robin") -> Server:
        """An element of the pool C{pool} that says its name."""
        server = Server(name)
        self.addCleanup(server.port.stopListening)
        await self.register(TcpTransport(server.number, HOST), policy=policy)
        return server

    async def dead(self) -> int:
        """An element that is registered and does not listen; its port."""
        port = free_port()
        await self.register(TcpTransport(port, HOST))
        return port

    def new_user(self) -> PoolUserService:
        """A pool user that asks the registrar over SCTP."""
        stack = self.network.stack(HOST)
        return PoolUserService(reactor, [self.asap], transport="sctp", profile=FAST, random=Random(3), stack=stack)

    async def run_program(self, program: str, *options: str) -> list[str]:
        """What a program prints that is told where the registrar is."""
        done = await self.in_thread(
            subprocess.run, [sys.executable, *options, "-c", program, self.where],
            capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": ROOT},
        )  # fmt: skip
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout.splitlines()

    def in_thread(self, function: Any, *arguments: Any, **keywords: Any) -> Deferred[Any]:
        """Call something that blocks."""
        return deferToThread(function, *arguments, **keywords)
