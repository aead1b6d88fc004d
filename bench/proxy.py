"""C{rserpool proxy} beside HAProxy and a direct connection: bytes a second, short connections, and small questions.

C{python -m bench.proxy [--json [FILE]] [--quick]}. It needs Debian's C{haproxy} and C{wrk}. There are two pools of one
element: HAProxy that answers by itself (asked by wrk), and a plain socket server that sends a file. Each figure is had
directly, through our proxy and through HAProxy (TCP mode, one thread), in turns, over the loopback interface. All
processes share the cores of the machine, so the processor time of each proxy is told, too.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.processes import TWISTD, Process, Processes, free_port
from bench.report import Figures, columns, progress, run

FILE = 64 << 20
WEB = """
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
listen web
    bind 127.0.0.1:{web}
    http-request return status 200 content-type text/plain string "an answer of some fifty bytes, as small ones are"
"""
RELAY = """
global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout client 30s
    timeout server 30s
    timeout connect 5s
listen web
    bind 127.0.0.1:{web_front}
    server one 127.0.0.1:{web}
listen bulk
    bind 127.0.0.1:{bulk_front}
    server one 127.0.0.1:{bulk}
"""
WAYS = ("direct", "rserpool", "haproxy")


def serve() -> None:
    """The element that sends: each line it reads is a number of bytes to send."""

    def answer(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, tempfile.TemporaryFile() as file:
            file.truncate(FILE)
            for line in lines:
                left = int(line)
                while left:
                    left -= os.sendfile(connection.fileno(), file.fileno(), 0, min(left, FILE))

    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        print(f"open at {server.getsockname()[1]}", flush=True)
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def bulk(port: int, size: int) -> float:
    """Bytes a second over one connection."""
    room = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        began = time.perf_counter()
        connection.sendall(b"%d\n" % size)
        left = size
        while left:
            got = connection.recv_into(room, min(left, len(room)))
            if not got:
                raise ConnectionError("it ended too early")
            left -= got
        return size / (time.perf_counter() - began)


def wrk(port: int, seconds: int, clients: int, *options: str) -> float:
    """Answers a second."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", *options, f"http://127.0.0.1:{port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(f"{' '.join(command)}:\n{said}")
    return float(found[1])


class Stage:
    """What is compared: where each way of each server begins, and the process in its middle."""

    def __init__(self, processes: Processes, directory: Path) -> None:
        udp, web, bulk_front, web_front = free_port(socket.SOCK_DGRAM), *(free_port(socket.SOCK_STREAM) for _ in "123")
        registrar = f"127.0.0.1:3863/{udp}"
        processes.registrar(udp, "--asap-tcp", "none")
        sender = processes.python("sender", "-m", "bench.proxy", "--serve")
        ports = {
            "web": web,
            "bulk": int(sender.says(r"open at (\d+)")[1]),
            "web_front": web_front,
            "bulk_front": bulk_front,
        }
        self._haproxy(processes, directory, "web", WEB.format(**ports), web)
        other = self._haproxy(processes, directory, "relay", RELAY.format(**ports), web_front)
        self.begins = {("web", "direct"): web, ("bulk", "direct"): ports["bulk"]}
        self.begins |= {("web", "haproxy"): web_front, ("bulk", "haproxy"): bulk_front}
        self.middle: dict[tuple[str, str], Process] = {("web", "haproxy"): other, ("bulk", "haproxy"): other}
        for server in ("web", "bulk"):
            arguments = ("--pool", server, "--registrar", registrar, "--port", f"tcp:{ports[server]}")
            idle = ("--", "web", "--listen", "tcp:0:interface=127.0.0.1")
            element = processes.python(f"element of {server}", *TWISTD, "rserpool-pe", *arguments, *idle)
            element.says("registered as")
            options = ("proxy", server, "--registrar", registrar, "--listen", "0")
            proxy = processes.python(f"proxy of {server}", "-m", "rserpool.cli.main", *options)
            self.begins[server, "rserpool"] = int(proxy.says(r"relays tcp 127\.0\.0\.1:(\d+)")[1])
            self.middle[server, "rserpool"] = proxy

    @staticmethod
    def _haproxy(processes: Processes, directory: Path, name: str, configuration: str, port: int) -> Process:
        file = directory / f"{name}.cfg"
        file.write_text(configuration)
        process = processes.command(name, "haproxy", "-f", str(file))
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return process
            time.sleep(0.05)
        raise TimeoutError(f"{name} does not listen")


def measure(options: argparse.Namespace) -> Figures:
    """All ways, in turns."""
    if missing := [name for name in ("haproxy", "wrk") if not shutil.which(name)]:
        sys.exit(f"missing: {' '.join(missing)}. Please run: apt-get install {' '.join(missing)}")
    rounds, seconds = (2, 1) if options.quick else (7, 3)
    size = (256 << 20) if options.quick else (2 << 30)
    short = ("-H", "Connection: close")
    what: dict[str, tuple[str, Callable[[int], float], float]] = {
        "bytes, one connection": ("bulk", lambda port: bulk(port, size), size),
        "short connections, 8 at once": ("web", lambda port: wrk(port, seconds, 8, *short), 0),
        "short connections, one after the other": ("web", lambda port: wrk(port, seconds, 1, *short), 0),
        "small questions, one after the other": ("web", lambda port: wrk(port, seconds, 1), 0),
    }
    found: Figures = {}
    with Processes() as processes, tempfile.TemporaryDirectory() as directory:
        stage = Stage(processes, Path(directory))
        for name, (server, figure, whole) in what.items():
            rates: dict[str, list[float]] = {way: [] for way in WAYS}
            costs: dict[str, list[float]] = {way: [] for way in WAYS[1:]}
            for turn in range(rounds):
                for way in WAYS:
                    middle = stage.middle.get((server, way))
                    before = middle.cpu() if middle else 0.0
                    rates[way].append(figure(stage.begins[server, way]))
                    if middle:
                        costs[way].append((middle.cpu() - before) / (whole or rates[way][-1] * seconds))
                said = ", ".join(f"{way} {rates[way][-1]:.0f}" for way in WAYS)
                progress(f"proxy {name} {turn + 1}/{rounds}: {said}")
            found[name] = compared(rates, costs)
    return {"rounds": rounds, "figures": found}


def compared(rates: dict[str, list[float]], costs: dict[str, list[float]]) -> Figures:
    """One row: rates a second and processor seconds a unit, and ours beside HAProxy's, each the median over rounds."""
    row: Figures = {way: statistics.median(rates[way]) for way in WAYS}
    ours, theirs = (1 / row[way] - 1 / row["direct"] for way in WAYS[1:])
    row["rate"] = statistics.median(a / b for a, b in zip(rates["rserpool"], rates["haproxy"], strict=True))
    row["adds"] = ours / theirs if theirs > 0 else None
    row["cost"], row["cost of haproxy"] = (statistics.median(costs[way]) for way in WAYS[1:])
    return row


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    for name, one in figures["figures"].items():
        unit = (1 << 20) if name.startswith("bytes") else 1
        rates = [f"{one[way] / unit:,.0f}" for way in WAYS]
        costs = [f"{one[key] * unit * 1e6:,.0f} us" for key in ("cost", "cost of haproxy")]
        rows.append([name, *rates, f"{one['rate']:.2f}", f"{one['adds']:.1f}" if one["adds"] else "-", *costs])
    head = ["a second (MiB for bytes)", "direct", "through ours", "HAProxy", "rate", "adds", "processor", "HAProxy's"]
    return (
        f"rserpool proxy beside HAProxy, median of {figures['rounds']} rounds; rate and what it adds: times HAProxy's\n"
        + columns(head, rows)
    )


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        run("proxy", "The proxy beside HAProxy and a direct connection.", measure, table)
