"""What an idle registrar and an idle element cost: how often they wake, and their processor time.

C{python -m bench.idle [--seconds N] [--json [FILE]] [--quick]}. One association between them, over usrsctp, with the
default profile: two keep-alives a second, and SCTP's heartbeats.
"""

from __future__ import annotations

import argparse
import socket
import time
from pathlib import Path

from bench.processes import TWISTD, Process, Processes, free_port
from bench.report import Figures, columns, run

WARM = 3.0
"""Seconds until what a start leaves behind is over."""


def wakes(process: Process) -> int:
    """How often it has gone to sleep so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def measure(options: argparse.Namespace) -> Figures:
    """Both at once."""
    seconds = 2.0 if options.quick else options.seconds
    with Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        registrar = processes.registrar(udp, "--asap-tcp", "none")
        arguments = ("rserpool-pe", "--registrar", f"127.0.0.1:3863/{udp}", "--pool", "bench")
        element = processes.python("element", *TWISTD, *arguments, "--", "web", "--listen", "tcp:0:interface=127.0.0.1")
        element.says("registered")
        time.sleep(WARM)
        both = {"registrar": registrar, "element": element}
        before, began = {name: (wakes(each), each.cpu()) for name, each in both.items()}, time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - began
        return {
            name: {
                "wakes": (wakes(each) - before[name][0]) / passed,
                "cpu_percent": 100 * (each.cpu() - before[name][1]) / passed,
            }
            for name, each in both.items()
        }


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [[name, f"{each['wakes']:.0f}", f"{each['cpu_percent']:.2f} %"] for name, each in figures.items()]
    return columns(["idle", "wake-ups a second", "of a core"], rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--seconds", type=float, default=20.0, help="time that passes")


if __name__ == "__main__":
    run("idle", "What idle processes cost.", measure, table, add_arguments)
