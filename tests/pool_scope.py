"""A scope around one pool: numbered elements with TCP ports that a test closes and opens, and one user."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol

from rserpool.core import TcpTransport
from rserpool.core.wire.parameters import UserTransport
from rserpool.testing import ElementProcess, Scope


class Taking(Protocol):
    """An end of a connection: keeps what comes, and why it was lost."""

    transport: Any
    lost: Any = None

    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


class Server(Factory):
    """Keeps its connections.

    @ivar kind: what they are.
    """

    noisy = False
    kind: type[Taking] = Taking

    def __init__(self) -> None:
        self.connections: list[Taking] = []

    def buildProtocol(self, addr: Any) -> Taking:
        self.connections.append(self.kind())
        return self.connections[-1]


class PoolScope(Scope):
    """Registrars 1, 2 ...; elements whose identifiers are their numbers, at TCP port 8000 + N; and one user.

    @ivar members: the elements, by number.
    @ivar servers: what their ports have accepted, by number.
    @ivar client: the user.
    """

    def __init__(self, case: Any, registrars: int = 1, *, ipv6: bool = False, **options: Any) -> None:
        super().__init__(registrars, seed=3, start=False, ipv6=ipv6)
        case.addCleanup(self.stop)
        for number in range(1, registrars + 1):
            self.registrar(identifier=number)
        self.settle()
        self.client = self.user(**options)
        self.members: dict[int, ElementProcess] = {}
        self.servers: dict[int, Server] = {}
        self._ports: dict[int, Any] = {}

    def member(
        self,
        number: int,
        pool: bytes | str = "pool",
        policy: str = "round-robin",
        transport: UserTransport | None = None,
    ) -> ElementProcess:
        """An element that has registered; by default one that accepts connections over TCP."""
        self.servers[number] = Server()

        def begin(element: ElementProcess) -> None:
            element.register(pool, transport or TcpTransport(8000 + number, element.host), policy, identifier=number)

        host = self._host(1, number)
        process = ElementProcess(self, f"e{number}", host, begin, {})
        member = self.members[number] = self._begin(process)
        if transport is None:
            self.open(number)
        self.advance(0.3)
        return member

    def open(self, number: int) -> None:
        """It listens."""
        self._ports[number] = self.members[number].reactor.listenTCP(8000 + number, self.servers[number])

    def close(self, *numbers: int) -> None:
        """They do not listen any more (all of them by default); but they stay in the pool."""
        for number in numbers or self._ports:
            self._ports[number].stopListening()

    def tried(self) -> list[int]:
        """The ports to which the user tried to connect since the last call."""
        ports = [port for _, port in self.trace.dialled(self.client.name)]
        self.trace.entries.clear()
        return ports
