"""A network of SCTP in memory, for tests of its faults."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.sctp.memory import Network
from tests.sctp.harness import Recorder


class NetworkCase(SynchronousTestCase):
    """Two hosts with an endpoint each."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock)
        self.server_stack = self.network.stack("10.0.0.1", registrar=True)
        self.client_stack = self.network.stack("10.0.0.2")
        self.accepting, self.connecting = Recorder(lambda: None), Recorder(lambda: None)
        self.server = self.server_stack.open(3863, self.accepting)
        self.client = self.client_stack.open(0, self.connecting, listening=False)
        self.peer = TransportAddress(("10.0.0.1",), 3863)

    def run_for(self, seconds: float) -> None:
        """Step from deadline to deadline."""
        end = self.clock.seconds() + seconds
        while self.clock.getDelayedCalls() and self.clock.getDelayedCalls()[0].getTime() <= end:
            self.clock.advance(max(0.0, self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def pair(self) -> tuple[Any, Any]:
        """An association: connecting end, accepting end."""
        association = self.client.connect(self.peer)
        self.run_for(0.01)
        return association, self.accepting.up[-1]

    def finish(self) -> None:
        """Nothing is left behind."""
        self.assertEqual((0, 0), (self.client.associations, self.server.associations))
        self.run_for(10.0)
        self.assertEqual([], self.clock.getDelayedCalls())
