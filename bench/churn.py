"""An hour's churn, compressed: does the registrar's memory stay flat while elements and users come, go and die?

C{python -m bench.churn [--json [FILE]] [--quick]}. One event every tenth of a second for an hour makes 36,000; they
happen at 300 a second. Each element and user has an association of its own, over usrsctp.
"""

from __future__ import annotations

import argparse
import json
import socket
from typing import Any

from bench.processes import Processes, free_port
from bench.report import Figures, columns, progress, run

HOUR = 3600
A_SECOND = 10
PARTS = 20
MIB = 1024 * 1024


def measure(options: argparse.Namespace) -> Figures:
    """The registrar's memory after each part of the churn."""
    events = 3000 if options.quick else options.events
    samples: list[dict[str, Any]] = []
    with Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        registrar = processes.registrar(udp, "--asap-tcp", "none")
        start = registrar.rss()
        arguments = ["--registrar", f"127.0.0.1:3863/{udp}", "--events", str(events), "--parts", str(PARTS)]
        churn = processes.python("churn", "-m", "bench.coming", *arguments, "--rate", str(options.rate))
        before = registrar.cpu()
        for _ in range(PARTS):
            count, elements, users = map(int, churn.says(r"^done (\d+) (\d+) (\d+)$", 120.0).groups())
            samples.append({"events": count, "elements": elements, "users": users, "rss": registrar.rss()})
            progress(
                f"churn: {count:,} events, {elements} elements and {users} users present,"
                f" registrar {registrar.rss() / MIB:.1f} MiB"
            )
        counts = json.loads(churn.says("^{").string)
        cpu = registrar.cpu() - before
    settled = [sample["rss"] for sample in samples]
    quarter = len(settled) // 4
    second = sum(settled[quarter : 2 * quarter]) / quarter
    last = sum(settled[-quarter:]) / quarter
    return {
        "events": events,
        "rate": options.rate,
        "counts": counts,
        "samples": samples,
        "processor_seconds": cpu,
        "rss_before": start,
        "rss_start": settled[0],
        "rss_middle": settled[len(settled) // 2],
        "rss_end": settled[-1],
        "bytes_an_event": (last - second) / (events * 5 / 8),
    }


def table(figures: Figures) -> str:
    """The figures for people."""
    moments = {"before": "rss_before", "start": "rss_start", "middle": "rss_middle", "end": "rss_end"}
    rows = [[name, f"{figures[key] / MIB:.2f}"] for name, key in moments.items()]
    rows.append(["growth in an hour, from its second to its last quarter", f"{_an_hour(figures) / MIB:+.2f}"])
    counts = ", ".join(f"{count:,} {name}" for name, count in figures["counts"].items())
    return (
        f"Churn: {figures['events']:,} events at {figures['rate']:g} a second"
        f" (an hour has {HOUR * A_SECOND:,} at {A_SECOND} a second): {counts}\n"
        + columns(["memory of the registrar", "MiB"], rows)
    )


def _an_hour(figures: Figures) -> float:
    return float(figures["bytes_an_event"]) * HOUR * A_SECOND


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--events", type=int, default=HOUR * A_SECOND)
    parser.add_argument("--rate", type=float, default=300.0, help="events a second")


if __name__ == "__main__":
    run("churn", "Memory of a registrar under churn.", measure, table, add_arguments)
