"""SCTP in memory where packets are lost: they are sent again, until that is given up (RFC 9260 section 6.3)."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import FAST
from rserpool.sctp.memory import Network
from tests.sctp.harness import Recorder

SERVER = TransportAddress(("10.0.0.1",), 3863, 9899)


class LossTests(SynchronousTestCase):
    """A server and a client on a network that loses packets."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, seed=1)
        self.accepting, self.connecting = (Recorder(lambda: None) for _ in range(2))
        server = self.network.stack("10.0.0.1", encapsulation=9899)
        server.open(3863, self.accepting, ("10.0.0.1",))
        self.client = self.network.stack("10.0.0.2")
        self.endpoint = self.client.open(0, self.connecting, ("10.0.0.2",))

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)

    def test_in_order(self) -> None:
        """All messages arrive, once and in their order, and then the association is shut down."""
        self.network.lose(0.1, FAST)
        association = self.endpoint.connect(SERVER)
        messages = [b"%d" % number for number in range(100)]
        for message in messages:
            association.send(message)
        association.close()
        self.run_for(20)
        self.assertEqual(messages, self.accepting.data)
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (self.accepting.reasons, self.connecting.reasons))

    def test_given_up(self) -> None:
        """When nothing gets through any more, both ends lose the association, the one that sends and the idle one."""
        self.network.lose(0.01, FAST)
        association = self.endpoint.connect(SERVER)
        self.run_for(1)
        assert self.network.losses is not None
        self.network.losses.share = 1.0
        association.send(b"lost")
        self.run_for(5)
        self.assertEqual(([ConnectionLost], [ConnectionLost]), (self.accepting.reasons, self.connecting.reasons))
        self.assertEqual(([(b"lost", 0)], []), (self.connecting.failed, self.accepting.data))

    def test_never_set_up(self) -> None:
        """A set-up of which everything is lost ends."""
        self.network.lose(1.0, FAST)
        self.endpoint.connect(SERVER)
        self.run_for(5)
        self.assertEqual([TimeoutError], self.connecting.reasons)

    def test_unknown(self) -> None:
        """Who sends over an association that the other end has given up hears of it."""
        self.network.lose(0.01, FAST)
        association = self.endpoint.connect(SERVER)
        self.run_for(1)
        self.accepting.up[0].abort()
        association.send(b"there?")
        self.run_for(1)
        self.assertEqual([ConnectionLost], self.connecting.reasons)

    def test_held(self) -> None:
        """What is held back is no loss."""
        self.network.lose(0.01, FAST)
        association = self.endpoint.connect(SERVER)
        self.run_for(1)
        server = next(iter(self.accepting.up)).endpoint.process  # type: ignore[attr-defined]
        self.network.hold(self.client, server)
        association.send(b"patience")
        self.run_for(3)
        self.assertEqual(([], []), (self.connecting.lost, self.accepting.data))
        self.network.release(self.client, server)
        self.run_for(1)
        self.assertEqual([b"patience"], self.accepting.data)
