"""Our registrar beside rsplib's, behind the same load, over the kernel's SCTP: only the ratios mean something.

C{python -m bench.reference [--json [FILE]] [--quick]}, on a machine whose kernel has SCTP, as root, with rsplib's
registrar; elsewhere in the lab: C{python -m bench.lab reference}. Both registrars
get the same requests, one after the other, in each round; the median of the rounds counts. The floor beside them is a
loop that does nothing but receive and send: what a registrar costs above it (processor time of its process, in us for
each answer) is its own work, the rest are system calls.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.processes import TWISTD, Process, Processes
from bench.reference_load import WORK
from bench.registrar import under_load
from bench.report import Figures, columns, progress, run

ADDRESS = "10.214.0.1"
DEVICE = "rspbench0"
ASAP_PORT, ENRP_PORT = 3863, 9901
NAMES = ("rsplib", "ours", "floor")


@contextmanager
def address() -> Iterator[str]:
    """An address of this host that is not loopback's, which rsplib refuses."""
    _ip("link", "add", DEVICE, "type", "dummy")
    try:
        _ip("address", "add", f"{ADDRESS}/24", "dev", DEVICE)
        _ip("link", "set", DEVICE, "up")
        yield ADDRESS
    finally:
        _ip("link", "del", DEVICE)


def start(processes: Processes, name: str, host: str, number: int = 0) -> Process:
    """Start a registrar, which asks no element whether it lives; it serves when this returns.

    @param number: it is the peer of those with smaller numbers.
    """
    at, among = f"{host}:{ASAP_PORT + number}", f"{host}:{ENRP_PORT + number}"
    peers = [f"peer={host}:{ENRP_PORT + other}" for other in range(number)]
    if name == "ours":
        options = ["--asap", at, "--enrp", among, "--asap-tcp", "none", "--backend", "kernel"]
        options += ["--no-keep-alive", *(f"--{peer}" for peer in peers)]
        registrar = processes.python(name, *TWISTD, "rserpool-ns", *options)
        registrar.says("ready: " if peers else "serves ASAP")
        return registrar
    if name == "floor":
        return processes.python(name, "-m", "bench.reference_floor", at)
    # -1: no limits of rates.
    options = [f"-asap={at}", f"-enrp={among}", "-asapannounce=off", "-enrpannounce=off"]
    options += ["-maxhrrate=-1", "-maxeurate=-1", "-endpointkeepalivetransmissioninterval=3600000"]
    options += [f"-{peer}" for peer in peers]
    return processes.command(name, "rspregistrar", *options)


def measure(options: argparse.Namespace) -> Figures:
    """Each case with both registrars, in each round."""
    rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
    cases: Figures = {}
    total = rounds * len(options.elements) * len(WORK) * len(NAMES)
    done = 0
    with address() as host:
        for _ in range(rounds):
            for elements in options.elements:
                for name in NAMES:
                    with Processes() as processes:
                        registrar = start(processes, name, host)
                        for work in WORK:
                            figures = _load(processes, registrar, f"{host}:{ASAP_PORT}", work, elements, seconds)
                            cases.setdefault(f"{work}, {elements} elements", {}).setdefault(name, []).append(figures)
                            done += 1
                            progress(
                                f"reference {done}/{total} {name}, {work}, {elements} elements:"
                                f" {figures['per_second']:,.0f}/s, {figures['cpu_us']:.0f} us of processor time each"
                            )
    for case in cases.values():
        for name in NAMES:
            several = case[name]
            case[name] = {key: statistics.median(one[key] for one in several) for key in several[0]}
        case["ratio"] = case["ours"]["per_second"] / case["rsplib"]["per_second"]
    return {"rounds": rounds, "seconds": seconds, "cases": cases}


def _load(processes: Processes, registrar: Process, to: str, work: str, elements: int, seconds: float) -> Figures:
    arguments = ["--to", to, "--work", work, "--elements", str(elements), "--seconds", str(seconds)]
    return under_load(registrar, processes.python("load", "-m", "bench.reference_load", *arguments))


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    for name, case in figures["cases"].items():
        several = [case[server] for server in NAMES]
        rates = [f"{one['per_second']:,.0f}" for one in several]
        costs = [f"{one['cpu_us']:.0f}" for one in several]
        rows.append([name, *rates, f"{case['ratio']:.2f}", *costs, *(f"{one['p99_ms']:.1f}" for one in several[:2])])
    head = ["", *(f"{name} /s" for name in NAMES), "ours to rsplib", *(f"{name} us" for name in NAMES)]
    head += [f"{name} p99 ms" for name in NAMES[:2]]
    return (
        f"Registrars over the kernel's SCTP, {figures['rounds']} rounds of {figures['seconds']:g} s, the same load;"
        " registrations count without the deregistration that follows each\n" + columns(head, rows)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--elements", type=int, nargs="+", default=[10, 1000, 10000], help="sizes of the pool")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each case and round")


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), capture_output=True, timeout=20, check=True)


if __name__ == "__main__":
    run("reference", "Our registrar beside rsplib's.", measure, table, add_arguments)
