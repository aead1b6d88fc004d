"""SCTP in memory keeps the contract of the backends, and its faults are SCTP's."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from rserpool.sctp import ISctpStack
from rserpool.sctp.memory import Network
from tests.sctp.contract import SctpContract
from tests.sctp.harness import SctpHarness


def step(clock: Clock) -> None:
    """Advance to the next deadline."""
    clock.advance(max(0.0, clock.getDelayedCalls()[0].getTime() - clock.seconds()))


class MemoryHarness(SctpHarness):
    """Stacks in memory, on a virtual clock."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.network = Network(self.clock)

    async def makeStack(self, *hosts: str) -> ISctpStack:
        return self.network.stack(*hosts)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if condition():
                return
            self.assertTrue(self.clock.getDelayedCalls(), "nothing more will happen")
            step(self.clock)
        self.fail("this never comes to rest")


class MemoryContractTests(MemoryHarness, SctpContract, TestCase):
    """The contract on a virtual clock."""
