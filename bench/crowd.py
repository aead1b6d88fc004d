"""Ten thousand elements at one registrar, each over an association of its own: are they supervised, and none lost?

C{python -m bench.crowd [--elements N] [--seconds S] [--json [FILE]] [--quick]}. The elements live in a few processes of
low priority, and one in a process of its own. Measured are: the processor time of the registrar and the interval that
holds; who was removed although it lives, also while a thousand register again at once; and how long the one that is
killed is still in answers after the kernel's ICMP (a raw socket sees it; root only: else after the kill).
"""

from __future__ import annotations

import argparse
import socket
import struct
import threading
import time
import urllib.request
from typing import Any

from bench.processes import Process, Processes, free_port
from bench.report import Figures, columns, progress, run
from rserpool.core.wire import asap

OFTEN = 0.002
"""Seconds between two questions whether the killed one is still there."""
AGAIN = 1000
"""So many register again at once."""
LOW = ("nice", "-n", "4")
OWN = "rserpool_registrar_elements{"
"""The series that says how many there are."""
SET_UP = 150.0
"""Seconds until all are registered, at most."""


class Unreachable:
    """When the kernel says that a UDP port of this host is gone."""

    def __init__(self) -> None:
        self.told: dict[int, float] = {}
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        except PermissionError:
            return
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            packet = self._socket.recv(2048)
            icmp = packet[(packet[0] & 15) * 4 :]
            if len(icmp) >= 36 and icmp[:2] == b"\x03\x03":
                (port,) = struct.unpack("!H", icmp[30:32])
                self.told.setdefault(port, time.monotonic())


class Metrics:
    """What the registrar says of itself."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"

    def now(self) -> dict[str, float]:
        """By name and labels."""
        with urllib.request.urlopen(self._url + "metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


class Asking:
    """Resolves over TCP."""

    def __init__(self, port: int) -> None:
        self._tcp = socket.create_connection(("127.0.0.1", port), 30)

    def knows(self, pool: bytes) -> bool:
        """Whether there is an element."""
        self._tcp.sendall(asap.encode(asap.HandleResolution(pool)))
        answer = self._read(4)
        answer += self._read((int.from_bytes(answer[2:], "big") + 3 & ~3) - 4)
        told = asap.decode(answer).message
        return isinstance(told, asap.HandleResolutionResponse) and bool(told.elements)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self._tcp.recv(count - len(data)) or b"!" * count
        return data


def measure(options: argparse.Namespace) -> Figures:
    """All of it, once."""
    number, seconds = (1000, 5.0) if options.quick else (options.elements, options.seconds)
    unreachable = Unreachable()
    with Processes() as processes:
        udp, port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        limits = ("--limit", "associations_per_machine=20000")
        tcp = free_port(socket.SOCK_STREAM)
        places = ("--asap-tcp", f"127.0.0.1:{tcp}", "--admin", f"127.0.0.1:{port}")
        registrar = processes.registrar(udp, *places, *limits)
        metrics, asking = Metrics(port), Asking(tcp)
        began = time.monotonic()
        several = [_elements(processes, udp, share, first) for share, first in _shares(number, options.processes)]
        for each in several:
            each.says("^begin$", SET_UP)
        progress(f"crowd: {number} elements after {time.monotonic() - began:.0f} s")
        quiet = _over(registrar, metrics, seconds)
        several[0].signal(10)
        busy = _over(registrar, metrics, seconds)
        killed = [_kill(processes, udp, asking, unreachable) for _ in range(options.kills)]
    return {"elements": number, "quiet": quiet, "again": busy, "killed_ms": killed}


def _shares(number: int, processes: int) -> list[tuple[int, int]]:
    each = -(-number // processes)
    return [(min(each, number - first), 1 + first) for first in range(0, number, each)]


def _elements(processes: Processes, udp: int, number: int, first: int, pool: str = "bench") -> Process:
    arguments = ["--registrar", f"127.0.0.1:3863/{udp}", "--associations", str(number), "--first", str(first)]
    arguments += ["--pool", pool, "--again", str(AGAIN), "--seconds", "600", "--pace", "0.02"]
    return processes.python("elements", "-m", "bench.elements", *arguments, before=LOW if number > 1 else ())


def _over(registrar: Process, metrics: Metrics, seconds: float) -> Figures:
    """What it does in so many seconds."""
    before, used = metrics.now(), registrar.cpu()
    time.sleep(seconds)
    used, after = registrar.cpu() - used, metrics.now()
    asked = "rserpool_registrar_keep_alives_total"
    return {
        "share": used / seconds,
        "keep_alives": (after[asked] - before[asked]) / seconds,
        "interval": after["rserpool_registrar_keep_alive_interval_seconds"],
        "cost_us": 1e6 * after["rserpool_registrar_keep_alive_cost_seconds"],
        "associations": after["rserpool_registrar_associations_share"],
        "removed": _removed(after) - _removed(before),
        "elements": sum(value for name, value in after.items() if name.startswith(OWN)),
    }


def _removed(metrics: dict[str, float]) -> float:
    return sum(value for name, value in metrics.items() if name.startswith("rserpool_registrar_removals_total"))


def _kill(processes: Processes, udp: int, asking: Asking, unreachable: Unreachable) -> float:
    """Milliseconds for which an element that is killed is in answers after that is told."""
    one = _elements(processes, udp, 1, 1_000_000, "lone")
    own = int(one.says(r"^udp (\d+)$").group(1))
    one.says("^begin$")
    one.end()
    killed = time.monotonic()
    while asking.knows(b"lone"):
        time.sleep(OFTEN)
        if time.monotonic() > killed + 60:
            raise RuntimeError("it is not removed")
    return 1000 * (time.monotonic() - unreachable.told.get(own, killed))


def table(figures: Figures) -> str:
    """The figures for people."""
    rows: list[Any] = [
        [
            name,
            f"{each['keep_alives']:.0f}",
            f"{each['interval']:.2f} s",
            f"{each['cost_us']:.0f} us",
            f"{100 * each['associations']:.1f} %",
            f"{100 * each['share']:.1f} %",
            f"{each['removed']:.0f}",
            f"{each['elements']:.0f}",
        ]
        for name, each in (("quiet", figures["quiet"]), (f"{AGAIN} register again", figures["again"]))
    ]
    head = [
        f"{figures['elements']} elements",
        "keep-alives/s",
        "interval",
        "one costs",
        "associations",
        "of a core",
        "removed",
        "there",
    ]
    gone = ", ".join(f"{each:.0f}" for each in figures["killed_ms"])
    return columns(head, rows) + f"\nkilled: out of answers {gone} ms after the kernel's ICMP"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--elements", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)


if __name__ == "__main__":
    run("crowd", "Ten thousand elements at one registrar.", measure, table, add_arguments)
