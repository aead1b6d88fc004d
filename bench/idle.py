"""What idle processes cost: how often a registrar, an element and a user wake, and their processor time.

C{python -m bench.idle [--seconds N] [--elements N] [--json [FILE]] [--quick]}. One association each to the registrar,
over usrsctp, with the default profile. Beside them a Twisted process that does nothing but answer a datagram now and
then: how much a wake-up costs on this machine, as it is just now; and the web server that the element is, as it is
without it: it wakes each second, to have the time for its log. With C{--elements} as many elements, a process each,
share one core with their registrar: what all take of it. C{--serve} has them serve something else.
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import time
from collections.abc import Callable
from pathlib import Path

from bench.processes import TWISTD, Process, Processes, free_port
from bench.report import Figures, columns, progress, run
from rserpool.core import PROFILES

WARM = 3.0
"""Seconds until what a start leaves behind is over."""
SETTLED = 0.1
"""Many elements have settled when a look finds that they take less than so much (a share) less than the look before."""
LOOK = 5.0
"""Seconds of a look at whether they have."""
PATIENCE = 180.0
"""Seconds after which many elements are measured, settled or not."""
AT_ONCE = 8
"""So many elements start at a time."""
WEB = "web --listen tcp:0:interface=127.0.0.1"
"""What elements serve, where nothing else is said."""
EVERY = 0.25
"""Seconds between two datagrams."""
ECHO = """
import sys
from twisted.internet import protocol, reactor

class Echo(protocol.DatagramProtocol):
    def datagramReceived(self, data, source):
        self.transport.write(data, source)

reactor.listenUDP(int(sys.argv[1]), Echo(), interface="127.0.0.1")
reactor.callWhenRunning(print, "echoes", flush=True)
reactor.run()
"""


def wakes(process: Process) -> int:
    """How often it has gone to sleep so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def element(processes: Processes, udp: int, serve: str = WEB) -> Process:
    """One that serves nothing much."""
    arguments = ("rserpool-pe", "--registrar", f"127.0.0.1:3863/{udp}", "--pool", "bench")
    return processes.python("element", *TWISTD, *arguments, "--", *shlex.split(serve))


def over(
    processes: dict[str, Process], seconds: float, meanwhile: Callable[[], object] = lambda: None
) -> dict[str, dict[str, float]]:
    """What they do in so many seconds; C{meanwhile} is called every L{EVERY} seconds."""
    before, began = {name: (wakes(each), each.cpu()) for name, each in processes.items()}, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        meanwhile()
        time.sleep(EVERY)
    found = {}
    for name, each in processes.items():
        woken, used = wakes(each) - before[name][0], each.cpu() - before[name][1]
        found[name] = {"wakes": woken / passed, "cpu_percent": 100 * used / passed, "us": 1e6 * used / max(woken, 1)}
    return found


def measure(options: argparse.Namespace) -> Figures:
    """All at once; and then many elements."""
    seconds = 2.0 if options.quick else options.seconds
    figures: Figures = {}
    with Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        registrar = processes.registrar(udp, "--asap-tcp", "none")
        one = element(processes, udp, options.serve)
        one.says("registered")
        user = processes.python("user", "-m", "rserpool", "watch", "bench", "--registrar", f"127.0.0.1:3863/{udp}")
        user.says("bench")
        there = "127.0.0.1", free_port(socket.SOCK_DGRAM)
        bare = processes.python("bare", "-c", ECHO, str(there[1]))
        bare.says("echoes")
        web = processes.python("web", *TWISTD, *shlex.split(WEB))
        web.says("starting on")
        time.sleep(WARM)
        idle = {"registrar": registrar, "element": one, "user": user, "web alone": web, "bare Twisted": bare}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
            figures["each"] = over(idle, seconds, lambda: asks.sendto(bytes(28), there))
    if options.elements:
        figures["all"] = many(options.elements, seconds, options.serve)
    return figures


def settle(processes: dict[str, Process]) -> float:
    """Wait until what they take no longer falls: for how many seconds."""
    began, before = time.monotonic(), float("inf")
    while (passed := time.monotonic() - began) < PATIENCE:
        taken = sum(each["cpu_percent"] for each in over(processes, LOOK).values())
        progress(f"idle: {taken:.1f} % of a core, {passed + LOOK:.0f} s after the last has registered")
        if taken > (1 - SETTLED) * before:
            break
        before = taken
    return time.monotonic() - began


def many(number: int, seconds: float, serve: str) -> Figures:
    """Many elements, and their registrar, on one core."""
    with Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        registrar = processes.registrar(udp, "--asap-tcp", "none")
        elements: list[Process] = []
        while len(elements) < number:
            some = [element(processes, udp, serve) for _ in range(min(AT_ONCE, number - len(elements)))]
            for each in some:
                each.says("registered", 300.0)
            elements += some
            progress(f"idle: {len(elements)} elements")
        everybody = {"registrar": registrar, **{f"element {n}": each for n, each in enumerate(elements)}}
        # To start takes all that is there; now they share one.
        for each in everybody.values():
            os.sched_setaffinity(each.pid, {min(os.sched_getaffinity(0))})
        settled = settle(everybody)
        found = over(everybody, seconds)
    return {
        "elements": number,
        "settled_seconds": settled,
        "registrar_percent": found["registrar"]["cpu_percent"],
        "cpu_percent": sum(each["cpu_percent"] for each in found.values()),
    }


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [name, f"{each['wakes']:.1f}", f"{each['cpu_percent']:.3f} %", f"{each['us']:.0f} us"]
        for name, each in figures["each"].items()
    ]
    told = columns(["idle", "wake-ups a second", "of a core", "a wake-up"], rows)
    told += f"\n{1 / PROFILES['default'].keep_alive_interval:g} keep-alives a second between registrar and element"
    if "all" in figures:
        all_ = figures["all"]
        told += (
            f"\n{all_['elements']} idle elements and their registrar: {all_['cpu_percent']:.1f} % of a core, of which"
            f" the registrar has {all_['registrar_percent']:.1f} %; measured {all_['settled_seconds']:.0f} s after the"
            " last had registered, when it no longer fell"
        )
    return told


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--seconds", type=float, default=20.0, help="time that passes")
    parser.add_argument("--elements", type=int, default=0, help="so many elements on one core, too")
    parser.add_argument("--serve", default=WEB, help="the plugin of twistd that elements serve, with its options")


if __name__ == "__main__":
    run("idle", "What idle processes cost.", measure, table, add_arguments)
