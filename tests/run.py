"""Runs the tests with trial, and closes with one plain line: C{N passed, M failed, K skipped}.

C{python tests/run.py [--no-coverage] [NAME ...]}: a name is what trial takes (C{tests.core.wire},
C{tests/test_package.py}); without one, every test runs but those of the lab (C{make lab}), and 200 seeds of the
simulated cluster. Branch coverage is measured (but for the seeds) if the coverage package is there, and no names are
given.
"""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.reporter import TreeReporter
from twisted.trial.runner import TestLoader, TrialRunner

ROOT = Path(__file__).resolve().parent.parent
SLOW = 5.0
"""A test that takes as many seconds is named at the end."""
SEEDS = 200
"""So many runs of the simulated cluster are played when every test runs."""


class Reporter(TreeReporter):
    """Trial's usual one, which also keeps how long each test took."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seconds: dict[str, float] = {}

    def startTest(self, test: Any) -> None:
        self._began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self.seconds[test.id()] = time.monotonic() - self._began


def simulate(seeds: int) -> int:
    """Play the first seeds of the simulated cluster, without measuring coverage; returns how many failed."""
    print()
    command = [sys.executable, "-m", "tests.simulation.run", "--seeds", str(seeds), "--workers", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    played = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    print(played.stdout, end="")
    unlucky = [line for line in played.stdout.splitlines() if line.startswith("failing seeds:")]
    if unlucky:
        return len(unlucky[0].split()) - 2
    return 0 if played.returncode == 0 else seeds


def everything() -> list[str]:
    """All packages and modules of tests, but for those that need the lab."""
    found = pkgutil.iter_modules([str(ROOT / "tests")])
    return [f"tests.{one.name}" for one in found if one.name.startswith("test_") or one.ispkg and one.name != "lab"]


def main(arguments: list[str]) -> int:
    """Run, report, and return the exit code: 0 only if something ran and nothing failed."""
    measure = "--no-coverage" not in arguments
    names = [argument for argument in arguments if argument != "--no-coverage"]
    os.chdir(ROOT)
    # In place of the directory of this script.
    sys.path[0] = str(ROOT)
    coverage = None
    if measure and not names:
        # Not installed where nothing is measured.
        from coverage import Coverage, CoverageException

        coverage = Coverage()
        coverage.erase()
        coverage.start()

    suite = TestLoader().loadByNames(names or everything(), recurse=True)
    result = TrialRunner(Reporter, workingDirectory="_trial_temp").run(suite)
    assert isinstance(result, Reporter)

    os.chdir(ROOT)
    if coverage is not None:
        coverage.stop()
        coverage.save()
        print()
        try:
            together = Coverage()
            together.combine()
            together.report()
        except CoverageException as error:
            print(f"no coverage can be shown: {error}")

    print()
    for name, seconds in sorted(result.seconds.items(), key=lambda item: -item[1]):
        if seconds >= SLOW:
            print(f"{seconds:4.0f} s  {name}")
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passed = result.successes + len(result.expectedFailures)
    if not names:
        # Each seed counts as one test.
        unlucky = simulate(SEEDS)
        failed += unlucky
        passed += SEEDS - unlucky
    print(f"\n{passed} passed, {failed} failed, {len(result.skips)} skipped", flush=True)
    return 0 if passed and not failed and result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
