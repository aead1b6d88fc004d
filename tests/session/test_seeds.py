"""Sessions under faults, by seed: elements are killed, frozen, started, deregistered, and go on; the count tells.

In repeat mode every request is answered once, and each answer is the next number: nothing is lost, nothing is done
twice. C{SEEDS=100 trial tests.session.test_seeds} tries more; a failure names its seed.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.session import KeyRing, SessionProtocol, SignedCookies
from rserpool.testing import ElementProcess
from tests.session.scope import SessionScope

SEEDS = int(os.environ.get("SEEDS", "6"))
KEYS = KeyRing({"seeds": b"seeds" * 4})


class Counter(SessionProtocol):
    """Counts; a request that was counted already is answered as it was."""

    def sessionStarted(self, state: bytes | None) -> None:
        self.count, self.last = map(int, (state or b"0 0").split())

    def messageReceived(self, data: bytes) -> bytes:
        number = self.session.request.number
        if number != self.last:
            self.count, self.last = self.count + 1, number
            self.session.set_state(b"%d %d" % (self.count, self.last))
        return b"%d" % self.count


class Run:
    """One session, and what befalls its pool."""

    def __init__(self, case: Any, kind: str, seed: int) -> None:
        self.scope = SessionScope(case, kind, seed)
        self.random = Random(seed)
        self.members: dict[str, ElementProcess] = {}
        self.living: list[str] = []
        self.frozen: list[str] = []
        self.started = 0
        self.answers: list[int] = []
        self.asked = 0
        for _ in range(3):
            self.start()
        self.told = self.scope.session(repeat=True, timeout=None, patience=120.0, attempts=1000)

    def start(self) -> None:
        """A new element."""
        self.started += 1
        name = f"e{self.started}"
        self.members[name] = self.scope.serve(name, Counter, cookies=SignedCookies(KEYS))
        self.living.append(name)

    def ask(self) -> None:
        """A few requests at a time."""
        for _ in range(self.random.randrange(4)):
            self.asked += 1
            self.told.session.request(b"count").addCallback(lambda data: self.answers.append(int(data)))

    def fault(self) -> None:
        """Something happens, but one element is left."""
        serving = self.told.session.element
        name = self.random.choice(self.living)
        if serving is not None and self.scope.name(serving) in self.living and self.random.random() < 0.7:
            name = self.scope.name(serving)
        what = self.random.choice(("kill", "kill", "freeze", "leave", "start", "thaw"))
        if what == "start":
            self.start()
        elif what == "thaw" and self.frozen:
            self.scope.thaw(self.members[self.frozen.pop()])
        elif len(self.living) > 1 and what != "thaw":
            self.living.remove(name)
            if what == "kill":
                self.scope.kill(self.members[name])
            elif what == "freeze":
                self.frozen.append(name)
                self.scope.freeze(self.members[name])
            else:
                self.members[name].leave("pool")

    def run(self, steps: int) -> None:
        """Ask, and break things; then wait for the answers."""
        for _ in range(steps):
            self.ask()
            if self.random.random() < 0.3:
                self.fault()
            self.scope.advance(self.random.choice((0.002, 0.01, 0.1, 0.5)))
        self.scope.until(lambda: len(self.answers) == self.asked or self.told.ended, 150.0)


class SeedTests(SynchronousTestCase):
    """Nothing is lost, nothing is done twice."""

    def through(self, kind: str) -> None:
        failovers = 0
        for seed in range(SEEDS):
            run = Run(self, kind, seed)
            run.run(60)
            self.assertEqual(run.told.ended, [], f"seed {seed}")
            self.assertEqual(run.answers, list(range(1, run.asked + 1)), f"seed {seed}")
            self.assertEqual(run.told.received, [], f"seed {seed}")
            failovers += len(run.told.failovers)
            # Each run has a world of its own.
            self.doCleanups()
        self.assertGreater(failovers, 2 * SEEDS)

    def test_tcp(self) -> None:
        self.through("tcp")

    def test_sctp(self) -> None:
        self.through("sctp")
