"""The gap that a user sees when its element is killed, and when its element's host falls silent.

C{python -m bench.gap [--json [FILE]] [--quick]}. Three web servers run under C{twistd rserpool-pe}; a user asks for a
page over and over, over one kept connection through C{PoolClientEndpoint} (drop=yes). The gap is the longest time
between two answers around the fault. A killed process is one of this host (SIGKILL). A silent host is a network
namespace whose link goes down, or a stopped process where there can be no namespaces.
"""

from __future__ import annotations

import argparse
import signal
import socket
import statistics
import time

from bench.hosts import Hosts, ThisHost, hosts
from bench.processes import TWISTD, Process, Processes, free_port
from bench.report import Figures, columns, progress, run

ELEMENTS = 3
ANSWER = r"^(\d+\.\d+) (\d+)$"
CASES = {
    "killed, default": ("kill", "default", 0.05),
    "silent, default": ("silence", "default", 1.0),
    "silent, fast": ("silence", "fast", 2.0),
}


class Scene:
    """A registrar, the elements on hosts 1 to 3, and the user."""

    def __init__(self, processes: Processes, place: Hosts, profile: str) -> None:
        self._processes = processes
        self._place = place
        self._udp = free_port(socket.SOCK_DGRAM)
        self._profile = profile
        self._elements: dict[int, Process] = {}
        here = place.address(0)
        self._registrar_address = f"{here}:3863/{self._udp}"
        options = ("--asap", f"{here}:3863", "--asap-tcp", "none", "--profile", profile)
        self.registrar = processes.registrar(self._udp, *options, before=place.before(0))
        for host in range(1, ELEMENTS + 1):
            self._start(host)
        for _ in range(ELEMENTS):
            self.registrar.says("registered")
        arguments = ["--registrar", self._registrar_address, "--profile", profile, "--keep"]
        self._user = processes.python("user", "-m", "bench.asking", *arguments, before=place.before(0))
        self._user.says(ANSWER)

    def gap(self, fault: str, patience: float) -> float:
        """Let the element that serves now fail; seconds of the longest gap around that moment."""
        serving, last = 0, 0.0
        # Let it run for a while first.
        until = time.monotonic() + 0.7
        while last < until:
            answer = self._user.says(ANSWER)
            last, serving = float(answer.group(1)), int(answer.group(2))
        host = serving
        element = self._elements[host]
        if fault == "kill":
            element.signal(signal.SIGKILL)
        else:
            self._place.silence(host, element)
        failed = time.monotonic()
        longest = 0.0
        while last < failed + patience:
            answer = self._user.says(ANSWER, 30.0)
            longest = max(longest, float(answer.group(1)) - last)
            last = float(answer.group(1))
            if int(answer.group(2)) != host and last > failed + 0.3:
                break
        element.end()
        self._place.restore(host)
        self.registrar.says(f"0x{host:08x} removed", 30.0)
        self._start(host)
        self.registrar.says(f"0x{host:08x} registered")
        return longest

    def _start(self, host: int) -> None:
        here = self._place.address(host)
        web = ("--", "web", "--listen", f"tcp:0:interface={here}", "--path", "docs")
        arguments = ["--pool", "www", "--identifier", str(host), "--registrar", self._registrar_address]
        arguments += ["--profile", self._profile, *web]
        before = self._place.before(host)
        self._elements[host] = self._processes.python(
            f"element {host}", *TWISTD, "rserpool-pe", *arguments, before=before
        )


def measure(options: argparse.Namespace) -> Figures:
    """Each case so many times."""
    runs = 2 if options.quick else options.runs
    found: Figures = {}
    for name, (fault, profile, goal) in CASES.items():
        place = ThisHost(ELEMENTS) if fault == "kill" or options.stop else hosts(ELEMENTS)
        gaps: list[float] = []
        with place, Processes() as processes:
            scene = Scene(processes, place, profile)
            for turn in range(runs):
                gaps.append(scene.gap(fault, 10.0))
                progress(f"gap {name} {turn + 1}/{runs}: {1000 * gaps[-1]:.0f} ms")
        found[name] = {
            "place": place.kind if fault == "silence" else "this host",
            "goal_ms": 1000 * goal,
            "median_ms": 1000 * statistics.median(gaps),
            "worst_ms": 1000 * max(gaps),
            "gaps_ms": [round(1000 * gap, 1) for gap in gaps],
        }
    return {"runs": runs, "cases": found}


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [name, one["place"], f"{one['median_ms']:.0f}", f"{one['worst_ms']:.0f}", f"{one['goal_ms']:.0f}"]
        for name, one in figures["cases"].items()
    ]
    head = ["its element was", "on", "median ms", "worst ms", "goal ms"]
    return f"Gap that a user sees, {figures['runs']} runs each\n" + columns(head, rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--stop", action="store_true", help="stop processes (SIGSTOP) instead of making namespaces")


if __name__ == "__main__":
    run("gap", "The gap that a user sees when its element fails.", measure, table, add_arguments)
