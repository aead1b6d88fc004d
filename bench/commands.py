"""What a command costs: C{rserpool resolve} and help beside importing Twisted's reactor.

C{python -m bench.commands [--runs N] [--json [FILE]] [--quick]}: processor time of whole processes, in turn. C{resolve}
asks a registrar of another process for a pool of three, over usrsctp. Each is measured twice: as it is installed, and
with this package alone compiled anew by each process, as where C{PYTHONDONTWRITEBYTECODE} is set and nobody has done it
before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.idle import element
from bench.processes import ROOT, Processes, free_port
from bench.report import Figures, columns, run

ELEMENTS = 3
REACTOR = "reactor"
HELP = {"rserpool --help": ("--help",), "rserpool resolve --help": ("resolve", "--help")}


def spent(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Milliseconds of processor time of one process of Python.

    @raise RuntimeError: if it fails.
    """
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], environment, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: {os.waitstatus_to_exitcode(status)}")
    return 1000 * (usage.ru_utime + usage.ru_stime)


@contextmanager
def environments() -> Iterator[dict[str, dict[str, str]]]:
    """That of a package whose bytecode is there, and that of one where there is none; of what it stands on there is."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as copies:
        for name in ("compiled", "source"):
            shutil.copytree(ROOT / "rserpool", Path(copies) / name / "rserpool", ignore=_bytecode)
        places = {name: {**usual, "PYTHONPATH": str(Path(copies) / name)} for name in ("compiled", "source")}
        places["source"]["PYTHONDONTWRITEBYTECODE"] = "1"
        yield places


_bytecode = shutil.ignore_patterns("__pycache__")


def measure(options: argparse.Namespace) -> Figures:
    """All in turn, so that a busy moment hits all of them."""
    runs = 3 if options.quick else options.runs
    with Processes() as processes, environments() as places:
        udp = free_port(socket.SOCK_DGRAM)
        processes.registrar(udp, "--asap-tcp", "none")
        for _ in range(ELEMENTS):
            element(processes, udp).says("registered")
        resolve = ("resolve", "bench", "--registrar", f"127.0.0.1:3863/{udp}")
        commands = {REACTOR: ("-c", "from twisted.internet import reactor")}
        for name, words in {"rserpool resolve": resolve, **HELP}.items():
            commands[name] = ("-P", "-m", "rserpool", *words)
        took: dict[str, dict[str, list[float]]] = {}
        for number in range(runs + 1):
            for name, arguments in commands.items():
                for kind, environment in places.items():
                    milliseconds = spent(arguments, environment)
                    # The first one writes the bytecode.
                    if number:
                        took.setdefault(name, {}).setdefault(kind, []).append(milliseconds)
    return {name: {kind: median(each) for kind, each in kinds.items()} for name, kinds in took.items()}


def table(figures: Figures) -> str:
    """The figures for people."""
    reactor = figures[REACTOR]
    rows = [
        [name, *(text for kind, each in kinds.items() for text in (f"{each:.0f} ms", f"{each / reactor[kind]:.2f}"))]
        for name, kinds in figures.items()
    ]
    return columns(["processor time", "installed", "of the reactor's", "no bytecode", "of the reactor's"], rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="processes of each")


if __name__ == "__main__":
    run("commands", "What a command costs.", measure, table, add_arguments)
