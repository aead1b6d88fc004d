"""Who asks and does not read: what waits for it is bounded, over TCP and SCTP (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.node.tcp import MOST_UNSERVED, AsapTcpProtocol
from rserpool.sctp import outgoing
from rserpool.sctp.base import HIGH_WATER, MAX_MESSAGE, PPID_ASAP, SctpHandler
from rserpool.testing import Scope
from tests.node.talker import Talker
from tests.node.test_turns import QUESTION, Transport

ELEMENTS = 40


class SlowReaderTests(SynchronousTestCase):
    """A registrar with a pool whose answers are long, and ten strangers who ask for it and read nothing."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        for _ in range(ELEMENTS):
            self.scope.element("pool")
        self.scope.settle()
        self.registrar = self.scope.registrars[0]
        answered = Talker()
        association = self.scope.network.stack("10.0.2.98").open(0, answered).connect(self.registrar.address)
        association.send(QUESTION, PPID_ASAP)
        self.scope.until(lambda: bool(answered.answers))
        self.longest = max(map(len, answered.data))

    def test_tcp(self) -> None:
        """10,000 questions of 12 bytes: answers of 320 KiB wait at most, and of the questions 128 KiB are read."""
        connections = []
        for number in range(10):
            peer = TransportAddress((f"10.6.6.{number}",), 5000, protocol="tcp")
            connection = AsapTcpProtocol(self.scope.clock, self.registrar.node.asap, peer, outbound=False)
            transport = Transport()
            connection.makeConnection(transport)
            connection.pauseProducing()
            connections.append((connection, transport))
        for connection, transport in connections:
            for _ in range(10):
                if transport.producerState == "producing":
                    connection.dataReceived(QUESTION * 1000)
                    self.scope.advance(1.0)
        for connection, transport in connections:
            self.assertLessEqual(connection.buffered, HIGH_WATER + self.longest)
            self.assertEqual(transport.producerState, "paused" if 10_000 * len(QUESTION) > 65536 else "producing")
            self.assertLessEqual(len(connection._received), 2 * MOST_UNSERVED)
        connection, transport = connections[0]
        connection.resumeProducing()
        self.scope.advance(1.0)
        self.assertEqual((connection.buffered, transport.producerState), (0, "producing"))

    def test_sctp(self) -> None:
        """The same over SCTP, where nothing holds a peer back: what it asks waits, as long as it is not too much."""
        self.scope.network.window = self.longest
        talker = Talker()
        stack = self.scope.network.stack("10.6.6.6")
        association = stack.open(0, talker).connect(self.registrar.address)
        self.scope.until(lambda: talker.up)
        (ours,) = (
            each for each in self.registrar.node.asap.sctp.present  # type: ignore[union-attr]
            if each.peer.hosts == ("10.6.6.6",)
        )  # fmt: skip
        ours_put = type(ours).put
        self.patch(type(ours), "put", lambda self, *message: self is not ours and ours_put(self, *message))
        for _ in range(500):
            association.send(QUESTION, PPID_ASAP)
        self.scope.advance(0.5)
        self.assertLessEqual(ours.buffered, HIGH_WATER + self.longest)
        self.assertIn(ours, self.registrar.node.turns.held)
        self.patch(type(ours), "put", ours_put)
        ours.flush()
        self.scope.advance(0.5)
        self.assertEqual(len(talker.answers), 500)


class TotalTests(SynchronousTestCase):
    """All that waits at an endpoint."""

    def test_who_has_most(self) -> None:
        """Beyond the total who has most is given up, and nobody else."""
        self.patch(outgoing, "MOST", 10 * MAX_MESSAGE)
        scope = Scope(0)
        self.addCleanup(scope.stop)
        lost: list[Any] = []

        class Handler(SctpHandler):
            def associationLost(self, association: Any, reason: Any) -> None:
                lost.append((association, reason.type))

        endpoint = scope.network.stack("10.0.0.1").open(0, Handler())
        # Nobody is there: all of it waits.
        associations = [endpoint.connect(TransportAddress((f"10.0.9.{n}",), 1)) for n in range(4)]
        for count, association in zip((3, 1, 4, 2), associations, strict=True):
            for _ in range(count):
                association.send(bytes(MAX_MESSAGE))
        self.assertEqual(endpoint.outgoing.total, 10 * MAX_MESSAGE)
        associations[1].send(b"!")
        scope.advance(0.0)
        self.assertEqual(lost, [(associations[2], ConnectionAborted)])
        self.assertLess(endpoint.outgoing.total, 7 * MAX_MESSAGE)
        scope.advance(60.0)
        self.assertEqual((len(lost), endpoint.outgoing.total), (4, 0))
