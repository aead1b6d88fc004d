"""Secured scopes under attack; C{make test} plays more, and C{python -m tests.simulation.run --secured} any number."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.attacker import Attacker
from tests.simulation.schedule import play
from tests.simulation.secured import SecuredRun

SEEDS = (2, 5, 10)


class SecuredTests(SynchronousTestCase):
    """A few seeds."""

    def test_nobody_who_may_not_changes_anything(self) -> None:
        for seed in SEEDS:
            report = play(seed, kind=SecuredRun)
            if report.faults:
                self.fail("\n".join([f"secured seed {seed}", *report.faults, report.trace]))

    def test_the_attackers_are_heard(self) -> None:
        """As far as they come: they get answers, and each disguise is put on."""
        run = SecuredRun(61)
        trace = run.report(keep_trace=True).trace
        run.cluster.close()
        attackers = run.cluster._all(Attacker)
        self.assertGreater(sum(attacker.said for attacker in attackers), 100)
        for disguise in ("clear", "nobody", "insider", "guesses"):
            self.assertIn(f" as {disguise}", trace)
        for what in (
            "is to have the key",
            "is revoked",
            "0xa",
            "TLS is required",
            "neither a registrar nor an operator",
        ):
            self.assertIn(what, trace)

    def test_repeats(self) -> None:
        first, again = (play(5, keep_trace=True, kind=SecuredRun).trace for _ in range(2))
        self.assertTrue(first == again, "the traces differ")
