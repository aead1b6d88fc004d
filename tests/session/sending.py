"""A registrar, elements that write down what comes, and a user who sends single messages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.sctp import SctpProtocol
from rserpool.session import Sender
from rserpool.session.lines import Peer
from rserpool.testing import ElementProcess, Scope


class Log(SctpProtocol):
    """Writes down what comes, and answers."""

    factory: Any

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.factory.received.append((data, ppid, stream, unordered))
        self.transport.send(b"re: " + data)


class Stream(Protocol):
    """The same over TCP."""

    factory: Any

    def dataReceived(self, data: bytes) -> None:
        self.factory.received.append(data)
        self.transport.write(b"re: " + data)  # type: ignore[union-attr]


class SenderCase(SynchronousTestCase):
    """A registrar, elements, and a user with a L{Sender}."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.user = self.scope.user()
        self.got: list[tuple[bytes, Peer]] = []
        self.reports: list[tuple[Peer, bytes]] = []
        self.inbox: dict[int, list[Any]] = {}

    def elements(self, count: int, protocol: str = "sctp") -> list[ElementProcess]:
        """Elements that write down what comes, in C{inbox}, by PE identifier."""
        elements = []
        for _ in range(count):
            factory: Any = Factory.forProtocol(Log if protocol == "sctp" else Stream)  # type: ignore[arg-type, type-var]
            factory.received = []
            element = self.scope.element("pool", factory, protocol=protocol)
            self.inbox[element.identifier("pool")] = factory.received
            elements.append(element)
        self.scope.settle()
        return elements

    def sender(self, **options: Any) -> Sender:
        return Sender(
            self.user.service,
            received=lambda data, peer: self.got.append((data, peer)),
            undelivered=lambda peer, data, error: self.reports.append((peer, data)),
            **options,
        )

    def done(self, sent: Deferred[Any]) -> Any:
        """It was sent, and had time to arrive."""
        result = self.scope.result(sent)
        self.scope.advance(0.1)
        return result
