"""Echo, discard, daytime and chargen, over SCTP and TCP in memory."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire.parameters import DATA_ONLY
from rserpool.sctp import SctpProtocol
from rserpool.sctp.base import PPID_ASAP
from rserpool.services import Classic
from rserpool.services.classic import CHARGEN, daytime
from rserpool.testing import ElementProcess, Scope
from tests.pool_scope import Taking


class Messages(SctpProtocol):
    """Collects messages."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, int, int]] = []
        self.lost: Failure | None = None

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.received.append((data, ppid, stream))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class ClassicTests(SynchronousTestCase):
    """Each service at one element."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.user = self.scope.user()

    def client(self, service: str, protocol: str) -> Any:
        """A client of the service."""

        def serve(element: ElementProcess) -> None:
            element.serve(service, Classic(service, element.reactor), protocol=protocol, use=DATA_ONLY)

        self.element = self.scope.element(setup=serve)
        self.scope.settle()
        kind: Any = Messages if protocol == "sctp" else Taking
        return self.scope.result(self.user.endpoint(service).connect(Factory.forProtocol(kind)))

    def test_echo(self) -> None:
        """Each message comes back with its PPID on its stream; the control channel is not data."""
        client = self.client("echo", "sctp")
        client.transport.send(b"one", 7, 3)
        client.transport.send(b"control", PPID_ASAP)
        client.transport.send(b"two")
        self.scope.until(lambda: len(client.received) == 2)
        self.assertEqual([(b"one", 7, 3), (b"two", 0, 0)], client.received)

    def test_echo_over_tcp(self) -> None:
        """Everything comes back; a client that reads nothing is not read from."""
        client = self.client("echo", "tcp")
        data = bytes(range(256)) * 4096
        client.transport.pauseProducing()
        self.scope.advance(0.1)
        client.transport.write(data)
        self.scope.advance(1.0)
        (port,) = (end for end in self.element.reactor.getReaders() if getattr(end, "server", None))
        self.assertLess(port._buffered, 200_000)
        client.transport.resumeProducing()
        self.scope.until(lambda: len(client.received) == len(data))
        self.assertEqual(data, client.received)

    def test_half_closed(self) -> None:
        """Who has said everything still gets all of it back, and then the end."""
        client = self.client("echo", "tcp")
        data = bytes(range(256)) * 4096
        client.transport.write(data)
        client.transport.loseWriteConnection()
        self.scope.until(lambda: client.lost)
        self.assertTrue(client.lost.check(ConnectionDone))
        self.assertEqual(data, client.received)

    def test_discard(self) -> None:
        """Nothing comes back."""
        for protocol, send in (("sctp", "send"), ("tcp", "write")):
            client = self.client("discard", protocol)
            getattr(client.transport, send)(b"anything")
            self.scope.advance(1.0)
            self.assertEqual((0, None), (len(client.received), client.lost))
            self.element.kill()
            self.scope.settle()

    def test_daytime(self) -> None:
        """A line, and the end."""
        line = rb"[A-Z][a-z]+day, \d\d-[A-Z][a-z]+-\d{4} \d\d:\d\d:\d\d\.\d{6}\n"
        for protocol in ("sctp", "tcp"):
            client = self.client("daytime", protocol)
            self.scope.until(lambda client=client: client.lost)  # type: ignore[misc]
            self.assertTrue(client.lost.check(ConnectionDone))
            text = client.received if protocol == "tcp" else client.received[0][0]
            self.assertTrue(re.fullmatch(line, text), text)
            self.element.kill()
            self.scope.settle()
        self.assertTrue(daytime(1.25).endswith(b":01.250000\n"))

    def test_chargen(self) -> None:
        """It comes as long as it is taken; a client that reads nothing does not fill the element's memory."""
        client = self.client("chargen", "tcp")
        self.scope.until(lambda: len(client.received) > 100_000)
        self.assertEqual(CHARGEN * 10, client.received[: 10 * len(CHARGEN)])
        client.transport.pauseProducing()
        self.scope.advance(1.0)
        (end,) = (end for end in self.element.reactor.getReaders() if getattr(end, "server", None))
        self.assertLess(end._buffered, 100_000)
        client.transport.abortConnection()
        self.scope.advance(1.0)
        self.element.kill()
        self.scope.settle()
        client = self.client("chargen", "sctp")
        self.scope.until(lambda: len(client.received) > 1000)
        self.assertEqual({(CHARGEN, 0, 0)}, set(client.received))
