"""rsplib and this package in the lab, over the kernel's SCTP, under the same work: only the ratios count.

C{python -m bench.lab peers.rsplib [--json] [--quick]}; C{python -m bench.peers} does so. The load generator is that of
C{bench.reference}, the faults are those of C{bench.reference_failover}, by default and tuned.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from bench import reference
from bench.processes import Ended, Process, Processes
from bench.reference_failover import CASTS, FAULTS, KERNEL, TUNED, play
from bench.report import Figures, columns, progress, run

NAMES = ("rsplib", "ours")
SETTLING = 12.0
"""Seconds until registrars of rsplib know each other: they do not say when."""
RUNS = dict(zip(FAULTS, (3, 2, 2), strict=True))
SLOW = {("rsplib", FAULTS[1]), ("rsplib tuned", FAULTS[1])}
"""These take half a minute: they are done once."""


def measure(options: argparse.Namespace) -> Figures:
    """All of it; what fails twice is left out, and said."""
    seconds, elements = (0.5, 500) if options.quick else (3.0, 5000)
    found: Figures = {name: {} for name in CASTS}
    left_out: dict[str, str] = {}
    with reference.address() as host:
        for name in NAMES:
            rates = _twice(f"{name}, rates", left_out, lambda name=name: _rates(name, host, seconds, elements))
            found[name] |= rates or {}
    for fault in FAULTS[:1] if options.quick else FAULTS:
        for name in CASTS:
            several: list[float] = []
            for _ in range(1 if options.quick or (name, fault) in SLOW else RUNS[fault]):
                passed = _twice(f"{fault}, {name}", left_out, lambda name=name, fault=fault: play(name, fault)[0])
                if passed is not None:
                    several.append(round(1000 * passed, 1))
                    progress(f"peers, lab: {fault}, {name}: {several[-1]:,.0f} ms")
            found[name][fault] = several
    return {
        "quick": options.quick,
        "tuned": {key: " ".join(value) for key, value in TUNED.items()},
        "kernel": KERNEL,
        "systems": found,
        "left_out": left_out,
    }


def _twice(what: str, left_out: dict[str, str], work: Callable[[], Any]) -> Any:
    """What gives up on a busy machine has another chance; None if it fails again."""
    why = ""
    for _ in range(2):
        try:
            return work()
        except (Ended, TimeoutError, StopIteration, OSError, subprocess.SubprocessError) as error:
            why = str(error).partition("\n")[0]
            progress(f"peers, lab: {what}: {error}")
    left_out[what] = why
    return None


def _rates(name: str, host: str, seconds: float, elements: int) -> Figures:
    """One registrar: resolutions, registrations, memory; three: registrations."""
    found: Figures = {}
    with Processes() as processes:
        one = [reference.start(processes, name, host)]
        for work in ("resolve", "register"):
            found[f"{work}, one"] = _load(processes, name, one, host, work, 10, seconds)
    with Processes() as processes:
        # One that has nothing free from before.
        one = [reference.start(processes, name, host)]
        _load(processes, name, one, host, "resolve", 10, 0.5)
        began = one[0].rss()
        _load(processes, name, one, host, "resolve", elements, 1.0)
        found["memory"] = {"empty": began, "entry": max(0, one[0].rss() - began) / elements}
    with Processes() as processes:
        three = [reference.start(processes, name, host, number) for number in range(3)]
        time.sleep(SETTLING if name == "rsplib" else 1.0)
        found["register, three"] = _load(processes, name, three, host, "register", 10, seconds)
    return found


def _load(
    processes: Processes, name: str, registrars: list[Process], host: str, work: str, elements: int, seconds: float
) -> Figures:
    arguments = ["--to", f"{host}:{reference.ASAP_PORT}", "--work", work, "--elements", str(elements)]
    arguments += ["--seconds", str(seconds), "--clients", "16"]
    load = processes.python("load", "-m", "bench.reference_load", *arguments)
    load.says("^begin$")
    spent, own = sum(each.cpu() for each in registrars), load.cpu()
    load.says("^end$")
    spent, own = sum(each.cpu() for each in registrars) - spent, load.cpu() - own
    figures: Figures = json.loads(load.says("^{").string)
    load.end()
    answers = max(figures["answers"], 1)
    figures |= {"nodes_us": 1e6 * spent / answers, "client_us": 1e6 * own / answers}
    progress(
        f"peers, lab: {name}, {len(registrars)} registrars, {work}: {figures['per_second']:,.0f}/s,"
        f" processor {figures['nodes_us']:.0f} us, of clients {figures['client_us']:.0f}"
    )
    return figures


def table(figures: Figures) -> str:
    """The figures for people."""
    kinds = dict.fromkeys(kind for system in figures["systems"].values() for kind in system)
    rows = [[kind, *(json.dumps(figures["systems"][name].get(kind, "")) for name in CASTS)] for kind in kinds]
    return columns(["", *CASTS], rows)


if __name__ == "__main__":
    run("peers.rsplib", "rsplib and ours under the same work.", measure, table)
