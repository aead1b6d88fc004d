"""How fast elements register at one registrar while it updates two peers, beside the same registrar alone.

C{python -m bench.cluster [--json [FILE]] [--quick]}. Three registrars (C{twistd rserpool-ns}) over usrsctp hold 1,000
elements; 16 light clients in another process register at the first, each the next when it has the answer to the last.
At the end all three must have the same handlespace: every element with its attributes and its home, so the checksums.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from bench.processes import Processes
from bench.report import Figures, columns, progress, run
from bench.scope import Scope

GOAL = 1000.0
CASES = {"re-registrations": "reregister", "new registrations": "register"}
OTHERS = {"etcd, three nodes": (230, 357), "ZooKeeper, three nodes": (148, 428)}
"""Registrations a second from Python on such a machine, as measured for this project's requirements."""


def measure(options: argparse.Namespace) -> Figures:
    """Each case alone and with peers, in turn; of each the median run counts."""
    seconds, rounds = (1.0, 1) if options.quick else (options.seconds, options.rounds)
    found: dict[str, list[Figures]] = {}
    with Processes() as processes:
        alone = Scope(processes, 1, "--profile", options.profile)
        alone.start(1)
        scope = Scope(processes, 3, "--profile", options.profile)
        scope.start_all()
        for number, one in enumerate((alone, scope)):
            filling = processes.python(
                f"elements {number}",
                *("-m", "bench.filling", "--registrar", one.asap(1), "--elements", str(options.elements)),
            )
            filling.says("^filled")
        for turn in range(rounds):
            for name, work in CASES.items():
                for where, one in (("alone", alone), ("with two peers", scope)):
                    figures = _under_load(processes, one, work, seconds, options)
                    found.setdefault(f"{name}, {where}", []).append(figures)
                    progress(
                        f"cluster {turn + 1}/{rounds} {name}, {where}: {figures['per_second']:,.0f}/s,"
                        f" p99 {figures['p99_ms']:.1f} ms, {figures['cpu_us']:.0f} us of the registrar,"
                        f" {figures['peer_cpu_us']:.0f} us of a peer"
                    )
        equal, tables = scope.equal(30.0)
        progress(f"cluster: the three handlespaces are {'equal' if equal else 'DIFFERENT'}: {tables}")
    median = {name: sorted(several, key=_rate)[len(several) // 2] for name, several in found.items()}
    return {
        "clients": options.clients,
        "depth": options.depth,
        "rounds": rounds,
        "seconds": seconds,
        "profile": options.profile,
        "elements": options.elements,
        "goal": GOAL,
        "others": OTHERS,
        "cases": median,
        "equal": equal,
        "tables": tables,
    }


def _under_load(processes: Processes, scope: Scope, work: str, seconds: float, options: Any) -> Figures:
    arguments = ["--registrar", scope.asap(1), "--work", work, "--seconds", str(seconds)]
    arguments += ["--clients", str(options.clients), "--depth", str(options.depth)]
    load = processes.python("clients", "-m", "bench.load", *arguments)
    load.says("^begin$")
    before = [registrar.cpu() for registrar in scope.registrars.values()]
    load.says("^end$")
    home, *peers = (one.cpu() - was for one, was in zip(scope.registrars.values(), before, strict=True))
    figures: Figures = json.loads(load.says("^{").string)
    load.end()
    answers = max(figures["answers"], 1)
    figures["cpu_us"] = 1e6 * home / answers
    figures["peer_cpu_us"] = 1e6 * sum(peers) / max(len(peers), 1) / answers
    return figures


def _rate(figures: Figures) -> float:
    return float(figures["per_second"])


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [
            name,
            f"{one['per_second']:,.0f}",
            f"{one['p50_ms']:.2f}",
            f"{one['p99_ms']:.2f}",
            f"{one['cpu_us']:.0f}",
            f"{one['peer_cpu_us']:.0f}",
        ]
        for name, one in figures["cases"].items()
    ]
    head = ["", "per second", "p50 ms", "p99 ms", "processor us", "of each peer"]
    others = ", ".join(f"{name} {least}-{most}/s" for name, (least, most) in figures["others"].items())
    return (
        f"Cluster: {figures['clients']} clients with {figures['depth']} registration(s) under way each,"
        f" {figures['elements']:,} other elements, profile {figures['profile']}"
        f" (each new registration is followed by its deregistration, which is not counted)\n"
        + columns(head, rows)
        + f"\nGoal: {figures['goal']:,.0f}/s with two peers; for scale: {others}\n"
        + f"The three handlespaces are {'equal' if figures['equal'] else 'DIFFERENT'}:"
        + f" {figures['tables'][0]['elements']:,} elements, checksums {figures['tables'][0]['checksums']}"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--depth", type=int, default=1, help="registrations that a client has under way at a time")
    parser.add_argument("--elements", type=int, default=1000, help="elements that are registered all the time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--profile", default="default")


if __name__ == "__main__":
    run("cluster", "Registrations at a registrar with two peers.", measure, table, add_arguments)
