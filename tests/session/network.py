"""TCP in memory beside SCTP in memory, and elements that serve sessions over either, on one clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, UserTransport
from rserpool.sctp import listenSCTP
from rserpool.sctp.memory import Network
from rserpool.session import Session, SessionFactory, SessionProtocol
from rserpool.user import PoolUserService
from tests.node.scene import Scene

TRANSIT = 0.001
HIGH_WATER = 65536


class End:
    """One end of a TCP connection: a transport."""

    disconnecting = False

    def __init__(self, network: TcpClock, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.network = network
        self.here, self.there = here, there
        self.protocol: Any = None
        self.other: Any = None
        self.connected = True
        self.reading = True
        self.producer: Any = None
        self.full = False
        self.way = 0
        self.inbox: list[bytes | Failure] = []

    def write(self, data: bytes) -> None:
        if self.connected and not self.disconnecting and self.here[0] not in self.network.dead:
            self.way += len(data)
            self.network.callLater(TRANSIT, self.other.arrive, data)
            self._look()

    def writeSequence(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def arrive(self, what: bytes | Failure) -> None:
        if self.connected and self.here[0] not in self.network.dead:
            self.inbox.append(what)
            self.take()

    def take(self) -> None:
        while self.inbox and self.reading and self.connected:
            if {self.here[0], self.there[0]} & self.network.frozen:
                return
            if self.protocol.transport is None:
                self.protocol.makeConnection(self)
            what = self.inbox.pop(0)
            if isinstance(what, Failure):
                self.lose(what)
            else:
                self.other.way -= len(what)
                self.protocol.dataReceived(what)
                self.network.callLater(0, self.other._look)

    def _look(self) -> None:
        if self.producer is not None and self.connected:
            if self.way > HIGH_WATER and not self.full:
                self.full = True
                self.producer.pauseProducing()
            elif self.way <= HIGH_WATER and self.full:
                self.full = False
                self.producer.resumeProducing()

    def lose(self, reason: Failure) -> None:
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(reason)

    def loseConnection(self) -> None:
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.network.callLater(TRANSIT, self.other.arrive, Failure(ConnectionDone()))
            self.network.callLater(0, self.lose, Failure(ConnectionDone()))

    def abortConnection(self) -> None:
        if self.connected:
            self.network.callLater(TRANSIT, self.other.arrive, Failure(ConnectionLost()))
            self.network.callLater(0, self.lose, Failure(ConnectionAborted()))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True
        self.network.callLater(0, self.take)

    def setTcpNoDelay(self, on: bool) -> None:
        """Nothing waits here."""

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", *self.there)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", *self.here)


class Connector:
    """An attempt."""

    def __init__(self, there: tuple[str, int]) -> None:
        self.stopped = False
        self.there = there

    def stopConnecting(self) -> None:
        self.stopped = True

    def getDestination(self) -> IPv4Address:
        return IPv4Address("TCP", *self.there)


class TcpClock(Clock):
    """A clock that has TCP connections.

    @ivar dead: hosts whose processes were killed: what they have open is closed, and nobody listens.
    @ivar frozen: hosts whose processes do nothing; their ports accept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listening: dict[tuple[str, int], Any] = {}
        self.dead: set[str] = set()
        self.frozen: set[str] = set()
        self.attempts: list[str] = []
        self.ends: list[End] = []
        self._ports = iter(range(50000, 60000))

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> Any:
        connector = Connector((host, port))
        factory.startedConnecting(connector)
        self.attempts.append(host)
        self.callLater(TRANSIT, self._answer, connector, host, port, factory)
        return connector

    def _answer(self, connector: Connector, host: str, port: int, factory: Any) -> None:
        if connector.stopped:
            factory.clientConnectionFailed(connector, Failure(ConnectionAborted()))
            return
        server = self.listening.get((host, port))
        if server is None or host in self.dead:
            factory.clientConnectionFailed(connector, Failure(ConnectionRefusedError()))
            return
        here = ("10.9.9.9", next(self._ports))
        ours, theirs = End(self, here, (host, port)), End(self, (host, port), here)
        ours.other, theirs.other = theirs, ours
        self.ends += [ours, theirs]
        theirs.protocol = server.buildProtocol(theirs.getPeer())
        ours.protocol = factory.buildProtocol(ours.getPeer())
        if host not in self.frozen:
            theirs.protocol.makeConnection(theirs)
        ours.protocol.makeConnection(ours)

    def kill(self, host: str) -> None:
        """The process on this host is killed; the host closes what it had open."""
        self.dead.add(host)
        for end in self.ends:
            if end.there[0] == host and end.connected:
                self.callLater(TRANSIT, end.arrive, Failure(ConnectionDone()))
                end.other.connected = False


class Echo(SessionProtocol):
    """Answers with its name and what it was told; C{started} are the states with which its sessions began."""

    def __init__(self, name: bytes, started: list[bytes | None]) -> None:
        self.name = name
        self.started = started
        self.received: list[bytes] = []

    def sessionStarted(self, state: bytes | None) -> None:
        self.started.append(state)

    def messageReceived(self, data: bytes) -> Any:
        self.received.append(data)
        self.session.reply(self.name + b" " + data)


class SessionScene(Scene):
    """A scene in which elements serve sessions.

    @param kind: C{tcp} or C{sctp}: how elements serve.
    """

    clock: Any

    def __init__(self, case: Any, kind: str = "tcp", seed: int = 1) -> None:
        super().__init__(case, seed)
        self.clock = TcpClock()
        self.network = Network(self.clock, seed)
        self.kind = kind
        self.started: dict[str, list[bytes | None]] = {}
        self.factories: dict[str, SessionFactory] = {}
        self.registrar_service = self.registrar()
        self.members: dict[str, Any] = {}
        self.wall = 1_000_000.0

    def serve(
        self,
        name: str,
        build: Callable[[], SessionProtocol] | None = None,
        *,
        factory: Any = None,
        pool: str = "pool",
        framing: int = 1,
        register: bool = True,
        **options: Any,
    ) -> Any:
        """An element on a host of its own; registered when this returns."""
        element = self.members[name] = self.element(self.registrar_service)
        host = self.stacks[element].hosts[0]
        started = self.started.setdefault(name, [])
        if factory is None:
            options.setdefault("wall", lambda: self.wall + self.clock.seconds())
            factory = SessionFactory(build or (lambda: Echo(name.encode(), started)), pool=pool, **options)
        self.factories[name] = factory
        transport: UserTransport
        if self.kind == "tcp":
            self.clock.listening[host, 80] = factory
            transport = TcpTransport(80, host)
        else:
            port = listenSCTP(self.clock, 8000, factory, stack=self.stacks[element])
            transport = SctpTransport(port.getHost().port, DATA_PLUS_CONTROL, (host,))
        self.transports = {**getattr(self, "transports", {}), name: (element, transport, framing, pool)}
        if register:
            self.register(name)
        return element

    def register(self, name: str) -> None:
        """Let it be an element of its pool."""
        element, transport, framing, pool = self.transports[name]
        self.result(element.serve(pool, transport, identifier=self.number(name), framing=framing))

    def number(self, name: str) -> int:
        """The identifier of an element."""
        return int.from_bytes(name.encode(), "big")

    def name(self, element: Any) -> str:
        """The name of an element."""
        return element.identifier.to_bytes(4, "big").lstrip(b"\0").decode()

    def foreign(self, name: str) -> PoolElementParameter:
        """An element that no registrar knows."""
        return PoolElementParameter(
            self.number(name), 0, 60, TcpTransport(80, "10.66.6.6"), PolicyParameter(1), framing=1
        )

    def host(self, name: str) -> str:
        """Where an element is."""
        return self.stacks[self.members[name]].hosts[0]

    def kill(self, name: str) -> None:
        """kill -9."""
        self.clock.kill(self.host(name))
        self.crash(self.members[name])

    def session(self, pool: str = "pool", user: PoolUserService | None = None, **options: Any) -> Told:
        """A session that notes what it is told."""
        user = user or self.user(self.registrar_service)
        return Told(self, user, Session(user, pool, **options))


class Told:
    """A session, and what it told.

    @ivar pool: its pool now, as the user sees it.
    """

    def __init__(self, scene: SessionScene, user: PoolUserService, session: Session) -> None:
        self.session = session
        self.pool: Any = ()
        user.subscribe(session.handle, lambda change: setattr(self, "pool", change.elements or ()))
        self.received: list[bytes] = []
        self.failovers: list[tuple[str, str]] = []
        self.ended: list[Any] = []
        session.received = self.received.append
        session.failed_over = lambda old, new: self.failovers.append((scene.name(old), scene.name(new)))
        session.ended = self.ended.append
