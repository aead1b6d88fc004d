"""One contract for TCP: what protocols see in memory is what they see on the loopback of a real reactor."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from rserpool.core import TransportAddress
from rserpool.testing import Scope


class End(Protocol):
    """One end, whose events can be awaited."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.made: Deferred[End] = Deferred()
        self.lost: Deferred[BaseException] = Deferred()
        self._wanted: list[tuple[int, Deferred[bytes]]] = []

    def connectionMade(self) -> None:
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        for size, waiting in list(self._wanted):
            if len(self.received) >= size:
                self._wanted.remove((size, waiting))
                waiting.callback(self.received)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(reason.value)  # type: ignore[arg-type]

    def gets(self, size: int) -> Deferred[bytes]:
        """Fires when so many bytes have come."""
        waiting: Deferred[bytes] = Deferred()
        self._wanted.append((size, waiting))
        self.dataReceived(b"")
        return waiting


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    """One that hears when the other end has said all."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Deferred[None] = Deferred()

    def readConnectionLost(self) -> None:
        self.heard.callback(None)

    def writeConnectionLost(self) -> None:
        """We know."""


class Pulled:
    """A pull producer of so many pieces."""

    def __init__(self, end: End, pieces: int) -> None:
        self._end = end
        self._left = pieces

    def resumeProducing(self) -> None:
        if self._left:
            self._left -= 1
            self._end.transport.write(b"piece ")
        else:
            self._end.transport.unregisterProducer()
            self._end.transport.loseConnection()

    def stopProducing(self) -> None:
        self._left = 0


class Contract:
    """The checks; a subclass says where they run, and how they are waited for."""

    client_reactor: Any
    server_reactor: Any
    host: str

    def run_check(self, check: Any) -> Any:
        raise NotImplementedError

    async def listen(self, kind: type[End] = End) -> tuple[Any, list[Any]]:
        """A port, and the ends that it accepts."""
        ends: list[Any] = []

        def build() -> End:
            ends.append(kind())
            return ends[-1]

        factory: Any = Factory.forProtocol(build)
        factory.noisy = False
        port: Any = await TCP4ServerEndpoint(self.server_reactor, 0, interface=self.host).listen(factory)
        self.addCleanup(port.stopListening)  # type: ignore[attr-defined]
        return port, ends

    async def pair(self, kind: type[End] = End) -> tuple[End, Any]:
        """Both ends of a connection."""
        port, ends = await self.listen(kind)
        client = await self.dial(port.getHost().port)
        client.transport.write(b"!")
        while not ends:
            await self.turn()
        await ends[0].gets(1)
        ends[0].received = b""
        return client, ends[0]

    async def dial(self, port: int) -> End:
        factory: Any = Factory.forProtocol(End)
        factory.noisy = False
        end: Any = await TCP4ClientEndpoint(self.client_reactor, self.host, port).connect(factory)
        return end  # type: ignore[no-any-return]

    async def turn(self) -> None:
        """Let others work."""
        turn: Deferred[None] = Deferred()
        self.client_reactor.callLater(0.001, turn.callback, None)
        await turn

    def test_addresses(self) -> Any:
        """Each end knows both."""

        async def check() -> None:
            client, server = await self.pair()
            for one, other in ((client, server), (server, client)):
                host, peer = one.transport.getHost(), other.transport.getPeer()
                assert (host.type, host.host, host.port) == (peer.type, peer.host, peer.port) and host.type == "TCP"
            client.transport.abortConnection()
            await client.lost
            await server.lost

        return self.run_check(check)

    def test_close_delivers(self) -> Any:
        """All that was written before the end arrives, then the end, at both ends alike."""

        async def check() -> None:
            client, server = await self.pair()
            data = bytes(range(256)) * 3000
            client.transport.write(data)
            client.transport.loseConnection()
            client.transport.write(b"just in time")
            assert isinstance(await client.lost, ConnectionDone)
            client.transport.write(b"too late")
            assert isinstance(await server.lost, ConnectionDone)
            assert server.received == data + b"just in time"

        return self.run_check(check)

    def test_abort(self) -> Any:
        """Who aborts knows it; the other end sees a reset."""

        async def check() -> None:
            client, server = await self.pair()
            client.transport.abortConnection()
            assert isinstance(await client.lost, ConnectionAborted)
            assert type(await server.lost) is ConnectionLost

        return self.run_check(check)

    def test_refused(self) -> Any:
        """Nobody listens any more."""

        async def check() -> None:
            port, _ = await self.listen()
            number = port.getHost().port
            await port.stopListening()
            try:
                await self.dial(number)
            except ConnectionRefusedError:
                return
            raise AssertionError("it was accepted")

        return self.run_check(check)

    def test_half_close(self) -> Any:
        """One end says all, and hears the answer."""

        async def check() -> None:
            client, server = await self.pair(HalfEnd)
            client.transport.write(b"question")
            client.transport.loseWriteConnection()
            await server.heard
            assert server.received == b"question"
            server.transport.write(b"answer")
            server.transport.loseConnection()
            assert isinstance(await client.lost, ConnectionDone)
            assert client.received == b"answer"
            await server.lost

        return self.run_check(check)

    def test_pull_producer(self) -> Any:
        """It is asked for one piece after the other."""

        async def check() -> None:
            client, server = await self.pair()
            client.transport.registerProducer(Pulled(client, 7), False)
            await client.lost
            await server.lost
            assert server.received == b"piece " * 7

        return self.run_check(check)

    def test_reader_that_pauses(self) -> Any:
        """Nothing comes until it goes on; then all of it."""

        async def check() -> None:
            client, server = await self.pair()
            server.transport.pauseProducing()
            client.transport.write(bytes(10_000))
            for _ in range(5):
                await self.turn()
            assert server.received == b""
            server.transport.resumeProducing()
            await server.gets(10_000)
            client.transport.loseConnection()
            await client.lost
            await server.lost

        return self.run_check(check)

    def test_failing_protocol(self) -> Any:
        """A protocol that raises loses its connection."""

        async def check() -> None:
            client, server = await self.pair()
            server.dataReceived = _raise
            client.transport.write(b"!")
            await server.lost
            await client.lost
            assert len(self.flushLoggedErrors(ValueError)) == 1  # type: ignore[attr-defined]

        return self.run_check(check)


def _raise(data: bytes) -> None:
    raise ValueError("not understood")


class MemoryTests(Contract, SynchronousTestCase):
    """In memory."""

    def setUp(self) -> None:
        self.scope = Scope(0)
        nowhere = TransportAddress(("10.0.0.1",), 3863, protocol="tcp")
        client, server = (self.scope.user(transport="tcp", registrars=[nowhere]) for _ in range(2))
        self.client_reactor, self.server_reactor, self.host = client.reactor, server.reactor, server.host

    def run_check(self, check: Any) -> None:
        self.scope.result(ensureDeferred(check()))


class RealTests(Contract, TestCase):
    """On the loopback."""

    timeout = 30
    client_reactor = server_reactor = reactor
    host = "127.0.0.1"

    def run_check(self, check: Any) -> Deferred[None]:
        return ensureDeferred(check())
