"""Elements that come at once, to a registrar that has just begun: how long until all are registered, and what it took.

C{python -m bench.herds [--herds N] [--json [FILE]] [--quick]}. In the clear and over TLS, in turn; registrar and
elements are processes of their own, over usrsctp.
"""

from __future__ import annotations

import argparse
import signal
import socket
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.processes import Processes, free_port
from bench.report import Figures, columns, progress, run
from bench.returning import PATIENCE
from bench.secured import directory

OF_ONE_PROCESS = 125
"""So many elements share a process: more packets than theirs its UDP socket does not hold."""


@dataclass(frozen=True)
class Herd:
    """How they came.

    @ivar seconds: until the last one was registered, or nobody waited any longer.
    @ivar attempts: how often they dialled.
    @ivar refused: how many registrations were.
    @ivar missing: how many were not registered in time.
    @ivar registrar_s: processor time of the registrar until then.
    """

    seconds: float
    attempts: int
    refused: int
    missing: int
    registrar_s: float

    def __str__(self) -> str:
        missing = f", {self.missing} MISSING" if self.missing else ""
        took = f"{self.seconds:.2f} s, the registrar {self.registrar_s:.2f} s"
        return f"{took} ({self.attempts} attempts, {self.refused} refused{missing})"


def returning(quick: bool, herds: int) -> Figures:
    """So many herds of each kind."""
    elements, herds = (125, 1) if quick else (1000, herds)
    found: dict[bool, list[Herd]] = {False: [], True: []}
    for turn in range(herds):
        for secured in (False, True) if turn % 2 else (True, False):
            found[secured].append(_come(elements, secured))
        progress(f"{elements} elements: {found[False][-1]} in the clear, {found[True][-1]} over TLS")
    return {
        "elements": elements,
        "clear_s": median(herd.seconds for herd in found[False]),
        "tls_s": median(herd.seconds for herd in found[True]),
        "clear": [asdict(herd) for herd in found[False]],
        "tls": [asdict(herd) for herd in found[True]],
        "ratios": [tls.seconds / clear.seconds for clear, tls in zip(*found.values(), strict=True)],
        "registrar_ratios": [tls.registrar_s / clear.registrar_s for clear, tls in zip(*found.values(), strict=True)],
    }


def late(figures: Figures) -> str:
    """A line about those that were not back in time; empty if there are none."""
    clear, tls = (sum(herd["missing"] for herd in figures[kind]) for kind in ("clear", "tls"))
    return f"\nNot back within {PATIENCE:g} s: {clear} in the clear, {tls} over TLS" if clear or tls else ""


def registrar(figures: Figures, kind: str) -> float:
    """Median processor time of the registrar."""
    return median(herd["registrar_s"] for herd in figures[kind])


def secures(secured: bool, folder: Path, elements: int) -> list[str]:
    """The options of a registrar that knows the keys of so many elements."""
    return ["--security", str(directory(folder, elements))] if secured else []


def _come(elements: int, secured: bool) -> Herd:
    with tempfile.TemporaryDirectory() as folder, Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        serving = processes.registrar(udp, "--asap-tcp", "none", *secures(secured, Path(folder), elements))
        arguments = ["--registrar", f"127.0.0.1:{3864 if secured else 3863}/{udp}", "--elements", str(OF_ONE_PROCESS)]
        arguments += ["--secured"] if secured else []
        some = [
            processes.python("elements", "-m", "bench.returning", *arguments, "--first", str(first))
            for first in range(0, elements, OF_ONE_PROCESS)
        ]
        for each in some:
            each.says("^ready")
        before = serving.cpu()
        for each in some:
            each.signal(signal.SIGUSR1)
        began = min(float(each.says(r"^begin (\S+)").group(1)) for each in some)
        ends = [each.says(r"^end (\S+) (\d+) (\d+) (\d+)", 2 * PATIENCE) for each in some]
        spent = serving.cpu() - before
        attempts, refused, missing = (sum(int(end.group(number)) for end in ends) for number in (2, 3, 4))
        return Herd(max(float(end.group(1)) for end in ends) - began, attempts, refused, missing, spent)


def measure(options: argparse.Namespace) -> Figures:
    """All of it."""
    return returning(options.quick, options.herds)


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [name, *(f"{herd['seconds']:.2f} s" for herd in figures[kind]), f"{figures[f'{kind}_s']:.2f} s"]
        for name, kind in (("in the clear", "clear"), ("over TLS", "tls"))
    ]
    rows += [
        [
            f"processor time of the registrar, {name}",
            *(f"{herd['registrar_s']:.2f} s" for herd in figures[kind]),
            f"{registrar(figures, kind):.2f} s",
        ]
        for name, kind in (("in the clear", "clear"), ("over TLS", "tls"))
    ]
    numbers = [str(number + 1) for number in range(len(figures["clear"]))]
    return columns([f"{figures['elements']} elements", *numbers, "median"], rows) + late(figures)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--herds", type=int, default=3, help="so many of each kind")


if __name__ == "__main__":
    run("herds", "Elements that come at once.", measure, table, add_arguments)
