"""More clients than a proxy takes: no machine has all places, and nobody keeps one in silence."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.wire import Echo
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.proxy import ProxyService
from rserpool.testing import Scope


class CrowdTests(SynchronousTestCase):
    """More clients than a proxy takes."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.scope.element("pool", Factory.forProtocol(Echo), port=80)
        self.scope.settle()
        self.user = self.scope.user()
        self.lost: list[Any] = []
        listen = TCP4ServerEndpoint(self.user.reactor, 8080, interface=self.user.host)
        self.proxy = ProxyService(self.user.service, "pool", [listen], limit=10)
        self.proxy.startService()
        self.scope.advance(0.1)

    def clients(self, number: int, speaks: bool, host: Any = None) -> list[Any]:
        """So many clients of one host, which say something, or nothing."""
        lost, made = self.lost, []

        class Client(Protocol):
            answered = False

            def connectionMade(self) -> None:
                made.append(self)
                if speaks:
                    self.transport.write(b"?")  # type: ignore[union-attr]

            def dataReceived(self, data: bytes) -> None:
                self.answered = True

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                lost.append(self)

        process = host or self.scope.user()
        factory: Any = Factory.forProtocol(Client)
        for _ in range(number):
            TCP4ClientEndpoint(process.reactor, self.user.host, 8080).connect(factory).addErrback(lambda _: None)
        self.scope.advance(1.5)
        return made

    def test_idle(self) -> None:
        """Clients that say nothing have taken all places: who says something gets that of one of them."""
        idle = self.clients(10, False)
        (client,) = self.clients(1, True)
        self.assertTrue(client.answered)
        self.assertEqual((self.lost, self.proxy.counters.open), ([idle[0]], 10))

    def test_one_machine(self) -> None:
        """One machine has taken all places, and speaks: another one gets some of them; it gets no more itself."""
        host = self.scope.user()
        busy = self.clients(10, True, host)
        others = self.clients(2, True)
        self.assertEqual([each.answered for each in others], [True, True])
        self.assertEqual(self.lost, busy[:2])
        self.clients(1, True, host)
        self.assertEqual((self.proxy.counters.refused, self.proxy.counters.open), (1, 10))
