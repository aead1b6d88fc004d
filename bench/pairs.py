"""Two checkouts beside each other: what an answer costs their registrars, in pairs of runs that follow one another.

C{python -m bench.pairs OTHER [--pairs 15] [--json [FILE]] [--quick]}, where OTHER is the directory of another checkout,
or the word C{ceiling}: then all is compared with L{bench.ceiling}, which answers the same resolution from a dict.
A shared machine is now faster, now slower; within a pair it hardly changes. The same clients, those of this checkout,
ask both registrars, in turn first and second; a ratio above 1 says that this checkout needs less processor time.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path
from statistics import median

from bench.processes import ROOT, TWISTD, Process, Processes, free_port
from bench.registrar import under_load
from bench.report import Figures, columns, progress, run

CASES = {
    "resolutions": ("resolve", "sctp"),
    "re-registrations": ("reregister", "sctp"),
    "new registrations": ("register", "sctp"),
    "resolutions over TCP": ("resolve", "tcp"),
}


class Ceiling:
    """A dict over TCP."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.tcp = free_port(socket.SOCK_STREAM)
        self.process = processes.python("ceiling", "-m", "bench.ceiling", str(self.tcp), "10")
        self.process.says("serves")

    def cost(self, work: str, over: str, options: argparse.Namespace) -> float:
        """Processor time of the answer to a resolution, in us."""
        return _cost(self._processes, self.process, ["--tcp", str(self.tcp)], "resolve", options)


class Side:
    """The registrar of one checkout."""

    def __init__(self, processes: Processes, checkout: Path) -> None:
        self._processes = processes
        self.udp, self.tcp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        self.process: Process = processes.command(
            f"registrar of {checkout}",
            *("env", "-C", str(checkout), sys.executable, *TWISTD, "rserpool-ns"),
            *("--udp-encapsulation", str(self.udp), "--asap-tcp", f"127.0.0.1:{self.tcp}"),
        )
        self.process.says("serves ASAP")

    def cost(self, work: str, over: str, options: argparse.Namespace) -> float:
        """Processor time of one answer, in us."""
        to = ["--registrar", f"127.0.0.1:3863/{self.udp}"] + (["--tcp", str(self.tcp)] if over == "tcp" else [])
        return _cost(self._processes, self.process, to, work, options)


def _cost(processes: Processes, server: Process, to: list[str], work: str, options: argparse.Namespace) -> float:
    arguments = [*to, "--work", work, "--seconds", str(options.seconds), "--elements", "10", "--clients", "16"]
    load = processes.python("clients", "-m", "bench.load", *arguments, "--depth", "1")
    return float(under_load(server, load)["cpu_us"])


def interval(ratios: list[float]) -> tuple[float, float]:
    """About 95 % of the confidence in the median, from the order of the values alone (sign test)."""
    ordered, chance, below = sorted(ratios), 0.5 ** len(ratios), 0
    total = chance
    while below < len(ordered) // 2 and total <= 0.025:
        below += 1
        chance *= (len(ratios) - below + 1) / below
        total += chance
    low = max(below - 1, 0)
    return ordered[low], ordered[-1 - low]


def measure(options: argparse.Namespace) -> Figures:
    """So many pairs of each case; which checkout comes first alternates."""
    pairs = 3 if options.quick else options.pairs
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    with Processes() as processes:
        this = Side(processes, ROOT)
        other = Ceiling(processes) if options.other == "ceiling" else Side(processes, Path(options.other).resolve())
        for turn in range(pairs):
            for name, case in CASES.items():
                costs = {side: side.cost(*case, options) for side in ((this, other) if turn % 2 else (other, this))}
                found[name].append((costs[this], costs[other]))
            progress(
                f"pair {turn + 1}/{pairs}: "
                + ", ".join(f"{name} {here:.0f} / {there:.0f} us" for name, [*_, (here, there)] in found.items())
            )
    cases = {}
    for name, costs in found.items():
        ratios = [there / here for here, there in costs]
        low, high = interval(ratios)
        cases[name] = {"ratio": median(ratios), "low": low, "high": high, "pairs": costs}
    return {"other": str(options.other), "pairs": pairs, "seconds": options.seconds, "cases": cases}


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [
            name,
            f"{median(here for here, _ in case['pairs']):.1f}",
            f"{median(there for _, there in case['pairs']):.1f}",
            f"{case['ratio']:.3f}",
            f"{case['low']:.3f} to {case['high']:.3f}",
        ]
        for name, case in figures["cases"].items()
    ]
    head = ["", "this, us", "other, us", "other / this", "95 %"]
    return f"Processor time of an answer, {figures['pairs']} interleaved pairs\n" + columns(head, rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("other", help="directory of the other checkout, or: ceiling")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.5, help="time for each run")


if __name__ == "__main__":
    run("pairs", "What an answer costs the registrars of two checkouts.", measure, table, add_arguments)
