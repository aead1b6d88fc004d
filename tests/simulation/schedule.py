"""One random run: a cluster, faults in a random order, calm, and what must hold then. All of it hangs on the seed."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from tests.simulation import invariants
from tests.simulation.asking import Asker
from tests.simulation.cluster import Cluster
from tests.simulation.operated import Operated


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went; C{settled} is how many seconds after the last fault all was well."""

    seed: int
    faults: tuple[str, ...]
    messages: int
    settled: float
    virtual: float
    trace: str


def play(seed: int, keep_trace: bool = False, kind: type[Run] | None = None) -> Report:
    """Run one seed.

    @param kind: what is played, instead of a plain scope.
    """
    run = (kind or Run)(seed)
    cluster = run.cluster
    try:
        return run.report(keep_trace)
    except Exception:  # noqa: BLE001
        faults = (*cluster.errors, traceback.format_exc())
        return Report(seed, faults, _messages(cluster), 0.0, cluster.now, cluster.trace.text())
    finally:
        cluster.close()


class Run(Operated):
    """One seed: a beginning, faults, calm, and a judgement."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.askers: list[Asker] = []
        self.problems: list[str] = []

    def report(self, keep_trace: bool) -> Report:
        """Play it, and judge."""
        cluster = self.cluster
        self._begin()
        for _ in range(self.dice.randint(2, 16)):
            self._fault()
            cluster.advance(self.dice.expovariate(1.5 / self.unit))
            self._watch()
        self._calm()
        # What was on its way arrives yet: an operator's order too, which is carried out then, and not later.
        cluster.advance(self.profile.max_time_no_response)
        settled = self._settle()
        self.problems += invariants.resolutions(cluster, self.askers) if not self.problems else []
        self._watch()
        if not self.problems:
            # And so it stays.
            cluster.advance(3 * self.unit)
            for _ in range(5):
                # An element may just be registering again.
                later = invariants.unsettled(cluster)
                if not later:
                    break
                cluster.advance(0.1)
            self.problems += [f"later: {fault}" for fault in later]
        self.problems += cluster.errors
        return Report(
            cluster.seed,
            tuple(self.problems),
            _messages(cluster),
            settled,
            cluster.now,
            cluster.trace.text() if keep_trace or self.problems else "",
        )

    def _begin(self) -> None:
        cluster, dice = self.cluster, self.dice
        together = dice.random() < 0.3
        for _ in range(self.size):
            cluster.registrar()
            if not together:
                cluster.advance(dice.uniform(0.0, self.unit))
        for number in range(1, self.elements + 1):
            self._plan(f"e{number}")
            cluster.element(setup=self._serve)
        for _ in range(self.users):
            user = cluster.user()
            for handle in self.pools:
                if dice.random() < 0.4:
                    user.watch(handle)
            self.askers.append(Asker(user))
            self._ask(self.askers[-1])
        cluster.advance(dice.uniform(0.0, 2 * self.unit))

    def _ask(self, asker: Asker) -> None:
        """A user asks now and then."""
        asker.user.reactor.enter(asker.ask, self.dice.choice(self.pools), self.dice.random() < 0.1)
        self.cluster.clock.callLater(self.dice.expovariate(1.0 / self.unit), self._ask, asker)

    def _settle(self) -> float:
        cluster = self.cluster
        since = cluster.now
        while True:
            faults = invariants.unsettled(cluster)
            if not faults:
                return cluster.now - since
            if cluster.now - since > self.patience:
                self.problems += faults
                return cluster.now - since
            cluster.advance(0.25 * self.unit)

    def _watch(self) -> None:
        """What must hold at any time."""
        self.problems += invariants.outlived(self.cluster, self.patience)
        for asker in self.askers:
            self.problems += invariants.unserved(self.cluster, asker, self.quiet_since)
            asker.failures.clear()


def _messages(cluster: Cluster) -> int:
    return sum(bool(entry.target) for entry in cluster.trace.entries)
