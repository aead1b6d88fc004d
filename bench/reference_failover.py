"""Failover of rsplib's programs and of ours, in one lab and one run, seen from the wire: only the ratios count.

C{python -m bench.reference_failover [--json [FILE]] [--quick]}, as root, where the kernel has SCTP and rsplib is
installed; elsewhere C{python -m bench.lab reference_failover}. Each cast plays with its own registrars, pingpong
elements on hosts of their own (network namespaces), and its own pingpong client, with the timers that it has by itself.

Times are those of the packets at the kernel. Killed (SIGKILL) or silent (its host's link goes down) element: from the
fault to the first answer of the next. Beside it (C{gap_ms}) is the gap since the last answer of the old one, which is
shorter where that keeps answers back: rsplib's does, by Nagle's algorithm, until it ends. Killed registrar, of three:
until the last of its elements was told its new home (KEEP_ALIVE with the H flag, RFC 5352 section 2.2.7).
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.hosts import Hosts
from bench.processes import TWISTD, Process, Processes
from bench.report import Figures, columns, progress, run
from bench.scope import Listener

ASAP, ENRP = "11", "12"
POOL = "PingPongPool"
ELEMENTS = 3
CASTS = ("rsplib", "ours", "rsplib tuned", "ours fast")
TUNED = {
    "rsplib tuned": (
        *("-endpointkeepalivetransmissioninterval=500", "-endpointkeepalivetimeoutinterval=500", "-maxbadpereports=1"),
        *("-peerheartbeatcycle=500", "-peermaxtimelastheard=1000", "-peermaxtimenoresponse=500"),
    ),
    "ours fast": ("--profile", "fast"),
}
"""Options of a cast's registrars beside those that all have."""
KERNEL = {"rto_initial": 100, "rto_min": 100, "rto_max": 250, "association_max_retrans": 4, "path_max_retrans": 4}
"""What the kernel is told for C{rsplib tuned}, which has no options of its own for SCTP: our profile C{default}."""
FAULTS = ("element killed", "element's host silent", "registrar killed")
PACE_MS = 10
SETTLING = 3.0
"""Seconds of calm before the fault."""
LINE = r"^(\d+\.\d+) ([\d.]+) ([\d.]+) (\d+) (\w+)$"
KEEP_ALIVE_HOME = "0701"


class Cast:
    """One implementation's processes: registrars and the user on host 0, an element on each of the others."""

    def __init__(self, name: str, processes: Processes, hosts: Hosts, registrars: int) -> None:
        self._ours = name.startswith("ours")
        self._tuned = TUNED.get(name, ())
        self._processes = processes
        self._hosts = hosts
        if name == "rsplib tuned":
            for host in range(ELEMENTS + 1):
                set_ = [f"net.sctp.{key}={value}" for key, value in (*KERNEL.items(), ("hb_interval", 500))]
                subprocess.run([*hosts.before(host), "sysctl", "-qw", *set_], capture_output=True, check=True)
        here = hosts.address(0)
        self._asap = [f"{here}:{3863 + number}" for number in range(registrars)]
        self._enrp = [f"{here}:{9901 + number}" for number in range(registrars)]
        watching = processes.python("watcher", "-m", "bench.wire_watch", "bridge", before=hosts.before(0))
        watching.says("watching")
        self._wire = Listener(watching, LINE)
        self.registrars = [self._registrar(number) for number in range(registrars)]
        self.elements = {host: self._element(host) for host in range(1, ELEMENTS + 1)}

    def _registrar(self, number: int) -> Process:
        peers = [enrp for other, enrp in enumerate(self._enrp) if other < number]
        at, among = self._asap[number], self._enrp[number]
        before = self._hosts.before(0)
        if self._ours:
            options = ["--asap", at, "--enrp", among, "--asap-tcp", "none", "--backend", "kernel"]
            options += [*(f"--peer={peer}" for peer in peers), *self._tuned]
            started = self._processes.python(f"registrar {number}", *TWISTD, "rserpool-ns", *options, before=before)
            started.says("ready: " if peers else "serves ASAP")
            return started
        options = [f"-asap={at}", f"-enrp={among}", "-asapannounce=off", "-enrpannounce=off", "-logquiet"]
        options += [*(f"-peer={peer}" for peer in peers), *self._tuned]
        return self._processes.command(f"registrar {number}", "rspregistrar", *options, before=before)

    def _element(self, host: int) -> Process:
        before = self._hosts.before(host)
        # The first registrar shall be its home.
        if self._ours:
            options = ["--pool", POOL, "--registrar", self._asap[0], "--backend", "kernel"]
            options += ["--address", self._hosts.address(host), *self._tuned, "--", "rserpool-pingpong"]
            return self._processes.python(f"element {host}", *TWISTD, "rserpool-pe", *options, before=before)
        options = ["-pingpong", f"-registrar={self._asap[0]}", "-asapannounce=off", f"-identifier={host}"]
        return self._processes.command(f"element {host}", "rspserver", *options, before=before)

    def start_user(self) -> None:
        """Start the client; it is served when this returns."""
        before = self._hosts.before(0)
        for element in self.elements.values() if self._ours else ():
            # The client does not wait for a pool.
            element.says("registered as", 120.0)
        if self._ours:
            options = ["ping", POOL, "--registrar", self._asap[0], "--backend", "kernel"]
            options += ["--interval", str(PACE_MS / 1000), *self._tuned]
            self._processes.python("client", "-m", "rserpool.cli.main", *options, before=before)
        else:
            options = [f"-poolhandle={POOL}", f"-registrar={self._asap[0]}", f"-interval={PACE_MS}"]
            self._processes.command("client", "pingpongclient", *options, before=before)
        _until(lambda: len(self._answers()) > 50, 120.0, "the client is not served")

    def element_fails(self, silent: bool) -> tuple[float, float]:
        """Let the serving element fail; seconds until another one answers: since the fault, since the last answer."""
        time.sleep(SETTLING)
        last, serving = self._answers()[-1]
        host = next(host for host in self.elements if self._hosts.address(host) == serving)
        with _map_kept(self.elements[host]):
            failed = time.monotonic()
            if silent:
                self._hosts.silence(host, self.elements[host])
            else:
                self.elements[host].signal(signal.SIGKILL)
            _until(lambda: self._answers()[-1][1] != serving, 90.0, "no other element answered")
        answers = self._answers()
        first = next(when for when, source in answers if source != serving and when > last)
        before = max(when for when, source in answers if source == serving)
        return first - failed, first - before

    def registrar_fails(self) -> tuple[float, None]:
        """Kill the home of all elements, once it supervises them; seconds until the last was told the next."""
        elements = {self._hosts.address(host) for host in self.elements}
        _until(lambda: elements <= self._supervised(), 120.0, "the elements are not supervised")
        time.sleep(SETTLING)
        with _map_kept(self.registrars[0]):
            failed = time.monotonic()
            self.registrars[0].signal(signal.SIGKILL)
            _until(lambda: set(self._told(failed)) == elements, 90.0, "the elements were not adopted")
        return max(self._told(failed).values()) - failed, None

    def _answers(self) -> list[tuple[float, str]]:
        here = self._hosts.address(0)
        return [
            (float(match[1]), match[2])
            for _, match in self._wire.found
            if match[3] == here and match[4] not in (ASAP, ENRP)
        ]

    def _supervised(self) -> set[str]:
        return {match[3] for _, match in self._wire.found if match[4] == ASAP and match[5].startswith("07")}

    def _told(self, since: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for _, match in self._wire.found:
            if match[4] == ASAP and match[5] == KEEP_ALIVE_HOME and float(match[1]) > since:
                found.setdefault(match[3], float(match[1]))
        return found


@contextmanager
def _map_kept(process: Process) -> Iterator[None]:
    """Whatever becomes of the process, the kernel does not take down its memory map meanwhile.

    User-Mode Linux kills a process of its host for that, and waits: 10 ms after the end of one of Python's, in which
    nobody else in the guest runs. Other kernels take microseconds, and have other processors.
    """
    with open(f"/proc/{process.pid}/mem", "rb"):
        yield


def _until(happened, seconds: float, else_: str) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > until:
            raise TimeoutError(else_)
        time.sleep(0.05)


def play(name: str, fault: str) -> tuple[float, float | None]:
    """One fault, with new hosts and processes: seconds since the fault until all is well, and since the last answer."""
    with Hosts(ELEMENTS) as hosts, Processes() as processes:
        cast = Cast(name, processes, hosts, 3 if fault == FAULTS[2] else 1)
        if fault == FAULTS[2]:
            if name.startswith("rsplib"):
                # Its registrars look for a mentor, and then get to know each other: they do not say when.
                time.sleep(10.0)
            return cast.registrar_fails()
        cast.start_user()
        return cast.element_fails(silent=fault == FAULTS[1])


def measure(options: argparse.Namespace) -> Figures:
    """Each fault so many times with each cast, in turn."""
    runs = 1 if options.quick else options.runs
    found: dict[str, dict[str, list[tuple[float, float | None]]]] = {}
    for turn in range(runs):
        for fault in options.faults:
            for name in options.casts:
                several = found.setdefault(fault, {}).setdefault(name, [])
                several.append(play(name, fault))
                progress(f"reference_failover {turn + 1}/{runs} {fault}, {name}: {1000 * several[-1][0]:,.0f} ms")
    cases = {fault: {name: _figures(several) for name, several in casts.items()} for fault, casts in found.items()}
    return {"runs": runs, "cases": cases}


def _figures(several: list[tuple[float, float | None]]) -> Figures:
    times = [round(1000 * since, 1) for since, _ in several]
    gaps = [round(1000 * gap, 1) for _, gap in several if gap is not None]
    return {
        "median_ms": statistics.median(times),
        "worst_ms": max(times),
        "all_ms": times,
        "gap_ms": {"median": statistics.median(gaps), "worst": max(gaps), "all": gaps} if gaps else None,
    }


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    casts = list(next(iter(figures["cases"].values())))
    for fault, case in figures["cases"].items():
        several = [f"{case[name][key]:,.0f}" for name in casts for key in ("median_ms", "worst_ms")]
        ratio = case[casts[-1]]["median_ms"] / case[casts[0]]["median_ms"]
        rows.append([fault, *several, f"{ratio:.2f}"])
        if case[casts[0]]["gap_ms"]:
            gaps = [case[name]["gap_ms"] for name in casts]
            several = [f"{gap[key]:,.0f}" for gap in gaps for key in ("median", "worst")]
            rows.append(["  since the last answer", *several, f"{gaps[-1]['median'] / gaps[0]['median']:.2f}"])
    head = ["", *(f"{name} {key} ms" for name in casts for key in ("median", "worst")), f"{casts[-1]} to {casts[0]}"]
    return f"Failover over the kernel's SCTP, {figures['runs']} runs each, {ELEMENTS} elements\n" + columns(head, rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--casts", nargs="+", choices=CASTS, default=CASTS[:2])
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS)


if __name__ == "__main__":
    run("reference_failover", "Failover beside rsplib's.", measure, table, add_arguments)
