"""How fast a registrar answers: resolutions and registrations a second, beside the most that a dict over TCP can do.

C{python -m bench.registrar [--json [FILE]] [--quick]}. The registrar is a process of its own (C{twistd rserpool-ns}),
its 16 clients share another one; each sends its next request when it has the answer to the last.
"""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Iterator

from bench.processes import Process, Processes, free_port
from bench.report import Figures, columns, progress, run

CASES = {
    "resolutions": ("resolve", "sctp"),
    "re-registrations": ("reregister", "sctp"),
    "new registrations": ("register", "sctp"),
    "resolutions over TCP": ("resolve", "tcp"),
    "ceiling: dict over TCP": ("resolve", "dict"),
}
CEILING = "ceiling: dict over TCP"


def measure(options: argparse.Namespace) -> Figures:
    """Each case in turn, as often as asked for; of each the best run counts: what others do disturbs some."""
    seconds, rounds = (1.0, 1) if options.quick else (options.seconds, options.rounds)
    found: dict[str, list[Figures]] = {name: [] for name in CASES}
    with Processes() as processes:
        udp, tcp, plain = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        ceiling = processes.python("ceiling", "-m", "bench.ceiling", str(plain), str(options.elements))
        ceiling.says("serves")
        registrar = processes.registrar(udp, "--asap-tcp", f"127.0.0.1:{tcp}", "--profile", options.profile)
        for turn in range(rounds):
            for name, (work, over) in CASES.items():
                server = ceiling if over == "dict" else registrar
                arguments = [*_to(over, udp, tcp, plain), "--work", work, "--seconds", str(seconds)]
                arguments += ["--elements", str(options.elements), "--clients", str(options.clients)]
                arguments += ["--depth", str(options.depth)]
                load = processes.python("clients", "-m", "bench.load", *arguments)
                figures = under_load(server, load)
                found[name].append(figures)
                progress(
                    f"registrar {turn + 1}/{rounds} {name}: {figures['per_second']:,.0f}/s,"
                    f" p99 {figures['p99_ms']:.1f} ms, {figures['cpu_us']:.0f} us of processor time each"
                )
    best = {name: max(several, key=lambda one: float(one["per_second"])) for name, several in found.items()}
    top = best[CEILING]
    for figures in best.values():
        figures["ratio"] = figures["per_second"] / top["per_second"]
        figures["cpu_ratio"] = top["cpu_us"] / figures["cpu_us"]
    settings = {"clients": options.clients, "depth": options.depth, "elements": options.elements, "rounds": rounds}
    return {**settings, "seconds": seconds, "profile": options.profile, "cases": best}


def under_load(server: Process, load: Process) -> Figures:
    """What the clients found, and the processor time that each answer cost the server, in us."""
    load.says("^begin$")
    before = server.cpu()
    load.says("^end$")
    spent = server.cpu() - before
    figures: Figures = json.loads(load.says("^{").string)
    figures["cpu_us"] = 1e6 * spent / max(figures["answers"], 1)
    load.end()
    return figures


def _to(over: str, udp: int, tcp: int, plain: int) -> Iterator[str]:
    if over != "dict":
        yield from ("--registrar", f"127.0.0.1:3863/{udp}")
    if over != "sctp":
        yield from ("--tcp", str(tcp if over == "tcp" else plain))


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [
            name,
            f"{one['per_second']:,.0f}",
            f"{one['p50_ms']:.2f}",
            f"{one['p99_ms']:.2f}",
            f"{one['cpu_us']:.0f}",
            f"{one['ratio']:.2f}",
            f"{one['cpu_ratio']:.2f}",
        ]
        for name, one in figures["cases"].items()
    ]
    head = ["", "per second", "p50 ms", "p99 ms", "processor us", "of the ceiling", "by processor time"]
    return (
        f"Registrar: {figures['clients']} clients with {figures['depth']} request(s) under way each,"
        f" a pool of {figures['elements']}, profile {figures['profile']}\n" + columns(head, rows)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--depth", type=int, default=1, help="requests that a client has under way at a time")
    parser.add_argument("--elements", type=int, default=10, help="size of the pool")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each case and round")
    parser.add_argument("--profile", default="default")


if __name__ == "__main__":
    run("registrar", "Rates and latencies of a registrar.", measure, table, add_arguments)
