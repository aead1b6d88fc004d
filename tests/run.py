"""Runs the tests with trial, and closes with one plain line: C{N passed, M failed, K skipped}.

C{python tests/run.py [--no-coverage] [--workers N] [NAME ...]}: a name is what trial takes (C{tests.core.wire},
C{tests/test_package.py}); without one, every test runs but those of the lab (C{make lab}) and of the field (C{make
field}), shared by two processes, and 260 seeds of the simulated cluster. Branch coverage is measured (but for the
seeds) if the coverage package is there, and no names are given.
"""

from __future__ import annotations

import argparse
import gc
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any
from unittest import TestResult, TestSuite

from twisted.trial.reporter import TreeReporter
from twisted.trial.runner import TestLoader, TrialRunner

ROOT = Path(__file__).resolve().parent.parent
SLOW = 5.0
"""A test that takes as many seconds is named at the end."""
SEEDS = 200
SECURED = 60
"""So many runs of the simulated cluster are played when every test runs."""
WORKERS = 2
"""So many processes share the tests when every test runs."""
PLACE = "_trial_temp"
START = get_context("spawn")
GARBAGE = 20_000, 20, 20
"""How seldom garbage is looked for (C{gc.set_threshold}): as often as usual takes a tenth of all processor time."""


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

    def counted(self) -> Count:
        """What came of the tests up to now."""
        failed = len(self.failures) + len(self.errors) + len(self.unexpectedSuccesses)
        return Count(self.successes + len(self.expectedFailures), failed, len(self.skips), dict(self.seconds))


@dataclass
class Count:
    """What came of some tests, and how many seconds each took."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: Count) -> Count:
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.seconds | other.seconds,
        )


def everything() -> list[str]:
    """All modules of tests, but those of the lab and the field. Those that wait for processes are first."""
    found = [one.name for one in pkgutil.walk_packages([str(ROOT / "tests")], "tests.") if not one.ispkg]
    apart = ("lab", "field")
    names = [name for name in found if name.rpartition(".")[2].startswith("test_") and name.split(".")[1] not in apart]
    return sorted(names, key=lambda name: (not name.startswith(("tests.processes.", "tests.docs.")), name))


def play(names: list[str]) -> Count:
    """Run tests in this process."""
    result = TrialRunner(Reporter, workingDirectory=PLACE).run(TestLoader().loadByNames(names, recurse=True))
    os.chdir(ROOT)
    assert isinstance(result, Reporter)
    return result.counted()


def share(names: deque[str], workers: int) -> Count:
    """Run modules in several processes: the first takes them from the front, so that it waits while others compute."""
    total = Count()
    running: dict[Connection, Worker] = {}

    def begin(number: int) -> None:
        ours, theirs = START.Pipe()
        process = START.Process(target=work, args=(theirs, f"{PLACE}_{number}"))
        process.start()
        theirs.close()
        running[ours] = Worker(number, process, names.popleft if number == 0 else names.pop)

    for number in range(workers):
        begin(number)
    while running:
        for wire in wait(list(running)):
            assert isinstance(wire, Connection)
            worker = running[wire]
            try:
                text, worker.count = wire.recv()
            except EOFError:
                del running[wire]
                worker.process.join()
                total += worker.count
                if worker.name:
                    print(f"{worker.name}: the process that ran it ended with {worker.process.exitcode}", flush=True)
                    total.failed += 1
                    begin(worker.number)
                continue
            print(text, end="", flush=True)
            # Without one it has closed with a summary.
            if worker.name:
                worker.name = worker.take() if names else ""
                wire.send(worker.name)
    return total


@dataclass
class Worker:
    """One of several processes: what it runs now, and what came of all that it ran."""

    number: int
    process: Any
    take: Callable[[], str]
    name: str = "the start"
    count: Count = field(default_factory=Count)


def work(wire: Connection, place: str) -> None:
    """In a process of its own: run one module after the other, and send what trial writes about each."""
    shown = StringIO()
    gc.set_threshold(*GARBAGE)

    class Shared(TestSuite):
        def run(self, result: TestResult, debug: bool = False) -> TestResult:
            assert isinstance(result, Reporter)
            while True:
                wire.send((shown.getvalue(), result.counted()))
                shown.seek(0)
                shown.truncate()
                if not (name := wire.recv()):
                    return result
                TestLoader().loadByName(name, recurse=True).run(result)

    result = TrialRunner(Reporter, workingDirectory=place, stream=shown).run(Shared())
    assert isinstance(result, Reporter)
    wire.send((shown.getvalue(), result.counted()))


def simulate(seeds: int, *options: str) -> int:
    """Play the first seeds of the simulated cluster, without measuring coverage; returns how many failed."""
    print()
    command = [sys.executable, "-m", "tests.simulation.run", "--seeds", str(seeds), "--workers", str(WORKERS), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    played = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    print(played.stdout, end="")
    unlucky = [line for line in played.stdout.splitlines() if line.startswith("failing seeds:")]
    if unlucky:
        return len(unlucky[0].split()) - 2
    return 0 if played.returncode == 0 else seeds


def main(arguments: list[str]) -> int:
    """Run, report, and return the exit code: 0 only if something ran and nothing failed."""
    parser = argparse.ArgumentParser("tests/run.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("--no-coverage", dest="measure", action="store_false", help="measure no coverage")
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N", help="processes that share all tests")
    parser.add_argument("names", nargs="*", metavar="NAME", help="run these tests alone, in one process")
    options = parser.parse_args(arguments)
    # A shell has those that it starts in the background ignore it, and so would those that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(ROOT)
    # In place of the directory of this script.
    sys.path[0] = str(ROOT)
    coverage = None
    if options.measure and not options.names:
        # Not installed where nothing is measured.
        from coverage import Coverage, CoverageException

        coverage = Coverage()
        coverage.erase()
        # Also in the processes that are started.
        coverage.start()

    if options.names or options.workers < 2:
        gc.set_threshold(*GARBAGE)
        count = play(options.names or everything())
    else:
        count = share(deque(everything()), options.workers)

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
    for name, seconds in sorted(count.seconds.items(), key=lambda item: -item[1]):
        if seconds >= SLOW:
            print(f"{seconds:4.0f} s  {name}")
    if not options.names:
        # Each seed counts as one test.
        for seeds, kinds in ((SEEDS, ()), (SECURED, ("--secured",))):
            unlucky = simulate(seeds, *kinds)
            count += Count(seeds - unlucky, unlucky)
    print(f"\n{count.passed} passed, {count.failed} failed, {count.skipped} skipped", flush=True)
    return 0 if count.passed and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
