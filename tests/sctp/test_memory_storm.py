"""Whatever happens to a network in memory, its associations keep SCTP's promises."""

from __future__ import annotations

from collections import defaultdict
from random import Random

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.sctp import ISctpAssociation
from rserpool.sctp.base import SctpHandler
from rserpool.sctp.memory import MemoryStack, Network
from rserpool.sctp.memory.association import MemoryAssociation
from rserpool.sctp.memory.endpoint import MemoryEndpoint

STORMS = 50
STEPS = 120


class Ledger(SctpHandler):
    """Books of one process: what was reported of each of its associations, in order."""

    def __init__(self) -> None:
        self.events: dict[ISctpAssociation, list[str]] = defaultdict(list)
        self.received: dict[ISctpAssociation, list[int]] = defaultdict(list)
        self.failed: dict[ISctpAssociation, set[int]] = defaultdict(set)

    def associationUp(self, association: ISctpAssociation) -> None:
        self.events[association].append("up")

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        self.events[association].append("message")
        self.received[association].append(int(data.split()[0]))

    def sendFailed(self, association: ISctpAssociation, data: bytes, ppid: int) -> None:
        self.events[association].append("failed")
        self.failed[association].add(int(data.split()[0]))

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self.events[association].append("lost")


class Storm:
    """Four hosts, and everything that can happen to them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = Clock()
        self.network = Network(self.clock, seed)
        self.network.jitter = self.random.choice((0.0, 0.001))
        self.ledger = Ledger()
        self.trace: list[str] = []
        self.sent: dict[ISctpAssociation, list[int]] = defaultdict(list)
        self.associations: list[MemoryAssociation] = []
        self.stacks: list[MemoryStack] = []
        for number in range(4):
            self.start(number)

    def start(self, number: int) -> None:
        stack = self.network.stack(f"10.0.0.{number}", registrar=True)
        stack.open(9901, self.ledger)
        self.stacks[number : number + 1] = [stack]

    def step(self) -> None:
        a, b = self.random.sample(range(4), 2)
        one, other = self.stacks[a], self.stacks[b]
        known = [each for stack in self.stacks for each in stack.all_associations()]
        association = self.random.choice(known) if known else None
        roll = self.random.random()
        if association is None or roll < 0.2:
            self.trace.append(f"{a} connects to {b}")
            one.endpoints[9901].connect(TransportAddress(other.hosts, 9901))
        elif roll < 0.6:
            self.trace.append(f"send on {association}")
            for _ in range(self.random.randrange(1, 8)):
                number = len(self.sent[association])
                # What is sent on an association that is lost or closing is ignored.
                if not association._lost and not association._closing:
                    association.send(b"%d " % number + bytes(self.random.choice((0, 50000))))
                    self.sent[association].append(number)
        elif roll < 0.65:
            self.trace.append(f"close {association}")
            association.close()
        elif roll < 0.7:
            self.trace.append(f"abort {association}")
            association.abort()
        elif roll < 0.74:
            self.trace.append(f"crash {a}")
            self.network.crash(one)
            self.start(a)
        else:
            what, *arguments = self.random.choice(
                (
                    ("silence", one),
                    ("unsilence", one),
                    ("partition", {one}, {other}),
                    ("partition_oneway", {one}, {other}),
                    ("heal",),
                    ("hold", one, other),
                    ("release", one, other),
                    ("delay", one, other, self.random.choice((0.001, 0.1))),
                )
            )
            self.trace.append(f"{what} {arguments}")
            getattr(self.network, what)(*arguments)
        self.run_for(self.random.choice((0.0, 0.0001, 0.001, 0.1, 1.0)))

    def calm(self) -> None:
        """All faults end, and all that was under way arrives."""
        self.network.heal()
        for one in self.stacks:
            self.network.unsilence(one)
            for other in self.stacks:
                self.network.release(one, other)
        self.run_for(30.0)

    def run_for(self, seconds: float) -> None:
        end = self.clock.seconds() + seconds
        while self.clock.getDelayedCalls() and self.clock.getDelayedCalls()[0].getTime() <= end:
            self.clock.advance(max(0.0, self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))


class StormTests(SynchronousTestCase):
    """Many storms, each by its seed."""

    def check(self, storm: Storm) -> None:
        ledger = storm.ledger
        present = {each for stack in storm.stacks for each in stack.all_associations()}
        for association, events in ledger.events.items():
            assert isinstance(association, MemoryAssociation)
            if "up" in events:
                self.assertEqual(("up", 1), (events[0], events.count("up")))
            else:
                self.assertNotIn("message", events)
            if "lost" in events:
                self.assertEqual(("lost", 1), (events[-1], events.count("lost")))
            alive = "lost" not in events and not self.crashed(association)
            self.assertEqual(alive, association in present)
        for association in present:
            remote = association._remote
            assert remote is not None
            self.assertIs(association, remote._remote)
            self.assertIn(remote, present)
            self.assertTrue(association.established)
        for association, sent in storm.sent.items():
            assert isinstance(association, MemoryAssociation)
            received = ledger.received[association._remote] if association._remote is not None else []
            self.assertEqual(sorted(set(received)), received, "in order, and none twice")
            if association in present:
                self.assertEqual(sent, received)
            elif not self.crashed(association):
                self.assertEqual(set(), set(sent) - set(received) - ledger.failed[association])
        self.assertEqual([], storm.clock.getDelayedCalls())

    @staticmethod
    def crashed(association: MemoryAssociation) -> bool:
        """Whether its process is dead."""
        endpoint = association.endpoint
        assert isinstance(endpoint, MemoryEndpoint)
        return endpoint.process.crashed

    def test_storms(self) -> None:
        """Up once, lost once and last, messages in order and once; each arrived or was reported; ends agree at last."""
        for seed in range(STORMS):
            storm = Storm(seed)
            try:
                for _ in range(STEPS):
                    storm.step()
                storm.calm()
                self.check(storm)
            except BaseException:
                print(f"seed {seed}:", *storm.trace, sep="\n  ")
                raise
