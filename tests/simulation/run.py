"""Plays many seeds: C{python -m tests.simulation.run --seeds N [--from M] [--workers W] [--trace] [--secured]}.

Progress goes to standard error, failing seeds with their faults to standard output; the exit status is 1 if one failed.
C{--trace} prints the whole trace of each failing seed, or of the only one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context

from twisted.logger import LogBeginner, globalLogBeginner

from tests.simulation.schedule import Report, Run, play
from tests.simulation.secured import SecuredRun


def main(arguments: list[str]) -> int:
    """Run, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--secured", action="store_true")
    options = parser.parse_args(arguments)
    kind = SecuredRun if options.secured else Run
    began = time.monotonic()
    failing: list[int] = []
    messages, longest, settled = 0, 0, 0.0
    seeds = range(options.first, options.first + options.seeds)
    for done, report in enumerate(_play(seeds, options.workers, kind), 1):
        messages += report.messages
        longest = max(longest, report.messages)
        settled = max(settled, report.settled)
        if report.faults:
            failing.append(report.seed)
            print(f"seed {report.seed} fails:", *report.faults, sep="\n    ", flush=True)
        if options.trace and (report.faults or options.seeds == 1):
            print(report.trace or play(report.seed, keep_trace=True, kind=kind).trace)
        if done % 100 == 0:
            seconds = time.monotonic() - began
            print(f"{done} seeds, {len(failing)} failed, {seconds:.0f} s", file=sys.stderr, flush=True)
    seconds = time.monotonic() - began
    seeds_of = "secured seeds" if options.secured else "seeds"
    print(
        f"{options.seeds} {seeds_of} from {options.first}: {len(failing)} failed; {messages} messages"
        f" (at most {longest} a seed), settled within {settled:.1f} s, {seconds:.0f} s"
    )
    if failing:
        print("failing seeds:", *failing)
    return 1 if failing else 0


def _play(seeds: range, workers: int, kind: type[Run]) -> Iterator[Report]:
    one = partial(play, kind=kind)
    if workers <= 1:
        _quiet()
        yield from map(one, seeds)
        return
    with get_context("fork").Pool(workers, _quiet) as pool:
        yield from pool.imap(one, seeds, chunksize=4)


def _quiet() -> None:
    """Log messages go nowhere; errors are collected by each cluster."""
    if isinstance(globalLogBeginner, LogBeginner):
        globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
