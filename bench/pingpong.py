"""Pingpong whose element is killed again and again: what is lost, what comes twice, and does the counter count on?

C{python -m bench.pingpong [--json [FILE]] [--quick] [--kills 100]}. Three elements of pingpong under
C{twistd rserpool-pe}; C{rserpool ping} asks them every 10 ms; the one that serves is killed (SIGKILL) and started
again, over TCP and over SCTP.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import socket
import statistics
import time
from typing import Any

from bench.processes import TWISTD, Process, Processes, free_port
from bench.report import Figures, columns, progress, run

ELEMENTS = 3
INTERVAL = 0.01
"""Seconds between two pings."""
PING = "import sys; from rserpool.cli.main import main; sys.exit(main())"


class Pool:
    """A registrar, the elements, and the user that pings."""

    def __init__(self, processes: Processes, protocol: str) -> None:
        self._processes = processes
        self._protocol = protocol
        self._udp = free_port(socket.SOCK_DGRAM)
        self._where = f"127.0.0.1:3863/{self._udp}"
        self._elements: dict[int, Process] = {}
        self.registrar = processes.registrar(self._udp, "--asap", "127.0.0.1:3863", "--asap-tcp", "none")
        for identifier in range(1, ELEMENTS + 1):
            self._start(identifier)
        arguments = ["ping", "--json", "--interval", str(INTERVAL), "--registrar", self._where]
        self._user = processes.python("user", "-c", PING, *arguments)

    def kill(self, wait: float) -> None:
        """Let it run for a while, kill whoever serves, and wait until another one has answered."""
        until = time.monotonic() + wait
        serving = 0
        while time.monotonic() < until:
            serving = self._next("answer")["element"]
        self._elements[serving].signal(signal.SIGKILL)
        self._next("failover")
        self._next("gap")
        self._elements[serving].end()
        self.registrar.says(f"0x{serving:08x} removed", 30.0)
        self._start(serving)

    def end(self) -> dict[str, Any]:
        """Stop the user; its figures."""
        # SIGINT is ignored by what a shell starts in the background.
        self._user.signal(signal.SIGTERM)
        return self._next("summary")

    def _start(self, identifier: int) -> None:
        plugin = ("--", "rserpool-pingpong", f"--{self._protocol}", "0")
        arguments = ["--identifier", str(identifier), "--registrar", self._where, *plugin]
        self._elements[identifier] = self._processes.python(f"element {identifier}", *TWISTD, "rserpool-pe", *arguments)
        self.registrar.says(f"0x{identifier:08x} registered", 30.0)

    def _next(self, event: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._user.says(f'"event": "{event}"', 60.0).string)
        return found


def measure(options: argparse.Namespace) -> Figures:
    """Each transport."""
    kills = 3 if options.quick else options.kills
    moments = random.Random(1)
    found: Figures = {}
    for protocol in ("tcp", "sctp"):
        with Processes() as processes:
            pool = Pool(processes, protocol)
            for turn in range(kills):
                pool.kill(moments.uniform(0.1, 0.3))
                if (turn + 1) % 10 == 0:
                    progress(f"pingpong over {protocol}: {turn + 1}/{kills} kills")
            found[protocol] = pool.end()
    return {"kills": kills, "interval_ms": 1000 * INTERVAL, "transports": found}


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    for protocol, one in figures["transports"].items():
        gaps = one["gaps"] or [float("nan")]
        counts = [one["sent"], one["answered"], one["lost"], one["doubled"], one["replies_skipped"]]
        counts += [one["replies_repeated"], one["failovers"]]
        times = [f"{1000 * statistics.median(gaps):.1f}", f"{1000 * max(gaps):.1f}"]
        rows.append([protocol, *map(str, counts), *times])
    head = ["over", "pings", "answered", "lost", "doubled", "skipped", "repeated", "failovers", "gap ms", "worst ms"]
    title = f"Pingpong, {figures['kills']} kills each, a ping every {figures['interval_ms']:.0f} ms"
    return f"{title}\n{columns(head, rows)}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--kills", type=int, default=100)


if __name__ == "__main__":
    run("pingpong", "Pingpong whose element is killed again and again.", measure, table, add_arguments)
