"""Who speaks over TCP in memory, for tests of it."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


class Talker(Protocol):
    """Collects what comes."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        if data == b"fail":
            raise ValueError("not understood")
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.lost is None
        self.lost = reason


@implementer(IHalfCloseableProtocol)
class HalfTalker(Talker):
    """One that goes on after the peer's end."""

    ended = False

    def readConnectionLost(self) -> None:
        self.ended = True
        self.transport.write(b"the rest")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass


class Server(Factory):
    """Keeps its protocols."""

    def __init__(self, kind: type[Talker] | None = Talker) -> None:
        self.kind = kind
        self.protocols: list[Talker] = []

    def buildProtocol(self, addr: Any) -> Any:
        if self.kind is not None:
            self.protocols.append(self.kind())
            return self.protocols[-1]
        return None


class Connecting(ClientFactory):
    """One client."""

    def __init__(self, kind: type[Talker] | None = Talker) -> None:
        self.protocol_kind = kind
        self.client: Any = None
        self.failed: Failure | None = None
        self.lost: Failure | None = None

    def buildProtocol(self, addr: Any) -> Any:
        self.client = None if self.protocol_kind is None else self.protocol_kind()
        return self.client

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.failed = reason

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.lost = reason


class File:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data


class Producer:
    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.paused = self.stopped = False

    def produce(self) -> None:
        """Write until it is enough."""
        while not self.paused:
            self._transport.write(bytes(10_000))

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True
