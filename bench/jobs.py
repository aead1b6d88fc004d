"""Jobs for a pool, beside what people use: Dask distributed, Celery with Redis, and C{ProcessPoolExecutor}, the floor.

C{python -m bench.jobs [--rounds N] [--only NAME ...] [--json [FILE]] [--quick]}. Jobs of nothing, 16 in flight, two
workers of one process each, one system after the other in each round: jobs a second, and the processor time of all
processes for a job. Then 64 jobs of 0.5 s on 8 workers, beside the ideal, and with a worker killed in the middle. Those
that are not installed are left out (extra C{jobs}, and redis-server).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from bench.processes import TWISTD, Processes, free_port
from bench.report import Figures, columns, progress, run

SYSTEMS = ("rserpool", "dask", "celery", "floor")
NAPS, NAP, WORKERS = 64, 0.5, 8
STEPS, STEP, KILLS = 120, 0.5, 5


def measure(options: argparse.Namespace) -> Figures:
    """All of it."""
    jobs, rounds = (300, 1) if options.quick else (3000, options.rounds)
    there = [name for name in options.only or SYSTEMS if _installed(name)]
    rates: dict[str, list[float]] = {name: [] for name in there}
    costs: dict[str, list[float]] = {name: [] for name in there}
    for turn in range(rounds):
        for name in there if turn % 2 else there[::-1]:
            with Bench(name, 2) as bench:
                seconds, cpu = bench.have_done("nothing", jobs)
            rates[name].append(jobs / seconds)
            costs[name].append(cpu / jobs * 1e6)
            progress(f"{name}: {jobs / seconds:.0f} jobs/s, {cpu / jobs * 1e6:.0f} us of processor time a job")
    naps: dict[str, dict[str, float]] = {}
    for name in [each for each in ("rserpool", "dask") if each in there]:
        naps[name] = {}
        for kills in (0, 1):
            with Bench(name, WORKERS) as bench:
                seconds, _ = bench.have_done("naps", NAPS, NAP, kill_after=2.2 if kills else None)
            ideal = NAPS * NAP / WORKERS
            naps[name][f"{kills} killed"] = seconds / ideal
            progress(
                f"{name}: {NAPS} jobs of {NAP} s on {WORKERS} workers, {kills} killed: {seconds / ideal:.3f} of ideal"
            )
    long = {} if options.quick or "rserpool" not in there else _long()
    return {
        "long": long,
        "jobs": jobs,
        "rate": {name: median(found) for name, found in rates.items()},
        "cost_us": {name: median(found) for name, found in costs.items()},
        "rates": rates,
        "costs_us": costs,
        "naps": naps,
    }


def _long() -> dict[str, float]:
    """A job of a minute with a checkpoint each half second, whose worker is killed five times."""
    with Bench("rserpool", 2) as bench:
        client = bench.client("long", STEPS, STEP)
        client.says("^ready")
        Path(os.environ["BENCH_GO"]).touch()
        for _ in range(KILLS):
            at = int(client.says(r"^at (\d+)").group(1))
            time.sleep(STEPS * STEP / (KILLS + 1))
            bench.kill(at)
            bench.start()
        taken, begun = map(int, client.says(r"^result (\d+) (\d+)", 2 * STEPS * STEP).groups())
        seconds = float(client.says(r"^end (\S+)").group(1))
    progress(
        f"a job of {STEPS * STEP:g} s: {KILLS} killed, {seconds:.1f} s, begun {begun} times, {taken} steps of {STEPS}"
    )
    return {"ideal": STEPS * STEP, "seconds": seconds, "begun": begun, "steps": taken}


def _installed(name: str) -> bool:
    if name == "dask":
        return find_spec("distributed") is not None
    if name == "celery":
        return find_spec("celery") is not None and shutil.which("redis-server") is not None
    return True


class Bench:
    """One system, with so many workers of one process each."""

    def __init__(self, name: str, workers: int) -> None:
        self._name = name
        self._count = workers
        self._folder = tempfile.TemporaryDirectory()
        self._processes = Processes()
        self._workers: list[Any] = []

    def __enter__(self) -> Bench:
        self._processes.__enter__()
        os.environ["BENCH_GO"] = f"{self._folder.name}/go"
        self._where = getattr(self, f"_{self._name}")()
        return self

    def __exit__(self, *what: Any) -> None:
        self._processes.__exit__(*what)
        self._folder.cleanup()

    def have_done(self, *job: Any, kill_after: float | None = None) -> tuple[float, float]:
        """Have jobs done.

        @param kill_after: seconds after which a worker is killed.
        @return: the seconds, and the processor time of all processes.
        """
        client = self.client(*job)
        client.says("^ready")
        before = _cpu(os.getpid())
        Path(os.environ["BENCH_GO"]).touch()
        if kill_after is not None:
            time.sleep(kill_after)
            self.kill(1)
        seconds = float(client.says(r"^end (\S+)").group(1))
        return seconds, _cpu(os.getpid()) - before

    def client(self, *job: Any) -> Any:
        """Who has jobs done; it waits."""
        return self._processes.python("client", "-m", "bench.jobs_done", self._name, self._where, *map(str, job))

    def kill(self, number: int) -> None:
        """Kill a worker, from 1, with all that it started."""
        for pid in _descendants(self._workers[number - 1].pid)[::-1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _rserpool(self) -> str:
        port = free_port(socket.SOCK_STREAM)
        udp = free_port(socket.SOCK_DGRAM)
        self._processes.registrar(udp, "--asap-tcp", f"127.0.0.1:{port}")
        self._registrar = f"127.0.0.1:3863/{udp}"
        keys = Path(self._folder.name) / "keys"
        keys.touch(0o600)
        keys.write_text(f"bench {os.urandom(32).hex()}\n")
        for _ in range(self._count):
            self.start().says("registered as")
        return f"127.0.0.1:{port}"

    def start(self) -> Any:
        """Start another worker of ours; its identifier is its number, from 1."""
        number = len(self._workers) + 1
        worker = self._processes.python(
            f"worker {number}", *TWISTD, "rserpool-worker", "--pool=farm", f"--registrar={self._registrar}",
            f"--identifier={number}", "--slots=1", "--functions=bench.jobs_done",
            f"--cookie-keys={self._folder.name}/keys",
        )  # fmt: skip
        self._workers.append(worker)
        return worker

    def _dask(self) -> str:
        port = free_port(socket.SOCK_STREAM)
        options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
        scheduler = self._processes.python("scheduler", "-m", "distributed.cli.dask_scheduler", *options)
        scheduler.says("Scheduler at")
        where = f"tcp://127.0.0.1:{port}"
        for number in range(self._count):
            worker = self._processes.python(
                f"worker {number}", "-m", "distributed.cli.dask_worker", where, "--nthreads=1", "--no-dashboard",
                "--no-nanny", f"--local-directory={self._folder.name}/{number}",
            )  # fmt: skip
            worker.says("Starting established connection|Registered to")
            self._workers.append(worker)
        return where

    def _celery(self) -> str:
        port = free_port(socket.SOCK_STREAM)
        os.environ["BENCH_REDIS"] = str(port)
        code = f"import os; os.execvp('redis-server', ['redis-server', '--port', '{port}', '--save', ''])"
        self._processes.python("redis", "-c", code).says("Ready to accept")
        words = ("-A", "bench.jobs_celery", "worker", "-c", str(self._count), "-l", "info")
        worker = self._processes.python("celery", "-m", "celery", *words)
        worker.says("ready")
        self._workers.append(worker)
        return str(port)

    def _floor(self) -> str:
        return str(self._count)


def _descendants(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _descendants(int(child))
    return found


def _cpu(pid: int) -> float:
    """Processor time of a process and all that it started and that lives, in seconds."""
    total = 0.0
    for each in _descendants(pid):
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
    return total


def table(figures: Figures) -> str:
    """The figures for people."""
    ours = figures["rate"].get("rserpool", 0.0)
    rows = [
        [name, f"{figures['rate'][name]:.0f}", f"{figures['cost_us'][name]:.0f}", f"{ours / figures['rate'][name]:.2f}"]
        for name in figures["rate"]
    ]
    text = columns(["jobs of nothing, 16 in flight", "jobs/s", "us a job", "rserpool's jobs/s beside it"], rows)
    naps = [[name, *(f"{found:.3f}" for found in each.values())] for name, each in figures["naps"].items()]
    head = [f"{NAPS} jobs of {NAP} s on {WORKERS} workers, beside the ideal", "0 killed", "1 killed"]
    text = f"{text}\n\n{columns(head, naps)}"
    if long := figures["long"]:
        text += "\n\nA job of {ideal:g} s: {seconds:.1f} s, begun {begun} times, {steps} steps".format(**long)
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--rounds", type=int, default=5, help="so many of each system")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, help="these systems alone")


if __name__ == "__main__":
    run("jobs", "Jobs for a pool, beside what people use.", measure, table, add_arguments)
