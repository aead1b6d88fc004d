"""Jobs for a pool, beside what people use: Dask distributed, Celery with Redis, and C{ProcessPoolExecutor}, the floor.

C{python -m bench.jobs [--rounds N] [--only NAME ...] [--json [FILE]] [--quick] [--write PAGE]}: seven minutes. Jobs of
nothing, 16 in flight, two workers of one process each, one system after the other in each round: jobs a second, and
the processor time of all processes for a job. Then 64 jobs of 0.5 s on 8 workers, beside the ideal, and with a worker
killed in the middle; jobs for 60 s, in which ten workers are killed; and a job of a minute whose worker is killed five
times.
Those that are not installed are left out (extra C{jobs}, and redis-server). C{--write docs/benchmarks.md} writes the
figures into that page.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.jobs_kills import killing, sentence
from bench.jobs_systems import SYSTEMS, Bench, installed
from bench.report import Figures, progress, run

JOBS = {"rserpool": 6000, "dask": 1500, "celery": 1500, "floor": 20000}
NAPS, NAP, WORKERS = 64, 0.5, 8
STEPS, STEP, KILLS = 120, 0.5, 5
SECONDS, KILLED = 60.0, 10
BEGIN, END = "<!-- jobs: begin -->\n", "<!-- jobs: end -->\n"


def measure(options: argparse.Namespace) -> Figures:
    """All of it."""
    began, load = time.monotonic(), os.getloadavg()[0]
    there = [name for name in options.only or SYSTEMS if installed(name)]
    with_kills = [name for name in ("rserpool", "dask") if name in there]
    rates, costs = _rates(there, 1 if options.quick else options.rounds, 10 if options.quick else 1)
    naps = _naps(with_kills, 1 if options.quick else max(1, options.rounds // 2))
    kills = killing(with_kills, *((18.0, 3) if options.quick else (SECONDS, KILLED)), progress) if with_kills else {}
    long = {} if options.quick or "rserpool" not in there else _long()
    figures = {
        "rate": {name: median(found) for name, found in rates.items()},
        "cost_us": {name: median(found) for name, found in costs.items()},
        "rates": rates,
        "costs_us": costs,
        "naps": naps,
        "kills": kills,
        "long": long,
        "load": [load, os.getloadavg()[0]],
        "minutes": (time.monotonic() - began) / 60,
    }
    if options.write:
        write(Path(options.write), figures)
    return figures


def _in_turn(names: list[str], rounds: int) -> Iterator[str]:
    """Each in each round, in both orders."""
    for turn in range(rounds):
        yield from names if turn % 2 else names[::-1]


def _rates(names: list[str], rounds: int, part: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Jobs of nothing: jobs a second, and microseconds of processor time a job."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    costs: dict[str, list[float]] = {name: [] for name in names}
    for name in _in_turn(names, rounds):
        jobs = JOBS[name] // part
        with Bench(name, 2) as bench:
            seconds, cpu = bench.have_done("nothing", jobs)
        rates[name].append(jobs / seconds)
        costs[name].append(cpu / jobs * 1e6)
        progress(f"{name}: {jobs / seconds:.0f} jobs/s, {cpu / jobs * 1e6:.0f} us of processor time a job")
    return rates, costs


def _naps(names: list[str], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Jobs that take their time, beside the ideal; with a worker killed, and without."""
    found: dict[str, dict[str, list[float]]] = {name: {"0": [], "1": []} for name in names}
    ideal = NAPS * NAP / WORKERS
    for name in _in_turn(names, rounds):
        with Bench(name, WORKERS) as bench:
            for kills, after in ("0", None), ("1", 2.2):
                seconds, _ = bench.have_done("naps", NAPS, NAP, kill_after=after)
                found[name][kills].append(seconds / ideal)
                what = f"{NAPS} jobs of {NAP} s on {WORKERS} workers, {kills} killed"
                progress(f"{name}: {what}: {seconds / ideal:.3f} of the ideal")
    return found


def _long() -> dict[str, float]:
    """A job of a minute with a checkpoint each half second, whose worker is killed five times."""
    with Bench("rserpool", 2) as bench:
        client = bench.client("long", STEPS, STEP)
        bench.go()
        for _ in range(KILLS):
            at = int(client.says(r"^at (\d+)").group(1))
            time.sleep(STEPS * STEP / (KILLS + 1))
            bench.kill(at)
            bench.start()
        taken, begun = map(int, client.says(r"^result (\d+) (\d+)", 2 * STEPS * STEP).groups())
        seconds = float(client.says(r"^end (\S+)").group(1))
    found = {"ideal": STEPS * STEP, "seconds": seconds, "begun": begun, "steps": taken}
    progress(f"a job of {STEPS * STEP:g} s: {KILLS} killed, {seconds:.1f} s, begun {begun} times, {taken} steps")
    return found


def table(figures: Figures) -> str:
    """The figures for people, as they stand in C{docs/benchmarks.md}."""
    names = {"rserpool": "rserpool", "floor": "`ProcessPoolExecutor`, the floor"}
    for name, package, text in (
        ("dask", "distributed", "Dask distributed {}"),
        ("celery", "celery", "Celery {} with Redis"),
    ):
        if name in figures["rate"]:
            names[name] = text.format(".".join(version(package).split(".")[:2]))
    ours = figures["rate"].get("rserpool", 0.0)
    lines = [
        f"`python -m bench.jobs`, {time.strftime('%B %Y')}, {figures['minutes']:.1f} minutes; the machine's load was "
        f"{figures['load'][0]:.1f} before it began.",
        "Jobs of nothing, 16 in flight, two workers of a process each:",
        "",
        "| | jobs/s | processor time a job | rserpool's rate beside it |",
        "| --- | --- | --- | --- |",
    ]
    for name, rate in figures["rate"].items():
        lines.append(f"| {names[name]} | {rate:,.0f} | {figures['cost_us'][name] / 1000:.2f} ms | {ours / rate:.2f} |")
    what = f"{NAPS} jobs of {NAP} s on {WORKERS} workers"
    lines += ["", f"{what}, beside the ideal {NAPS * NAP / WORKERS:g} s (median, and the worst):", ""]
    lines += ["| | nobody killed | one killed in the middle |", "| --- | --- | --- |"]
    for name, found in figures["naps"].items():
        lines.append(f"| {names[name]} | {_both(found['0'])} | {_both(found['1'])} |")
    for name, found in figures["kills"].items():
        lines += [
            "",
            f"{names[name]}, {found['kills']} workers killed, each in the middle of a job: {sentence(found)}.",
        ]
    if long := figures["long"]:
        text = "A job of {ideal:g} s with a checkpoint each half second, whose worker was killed five times, took "
        lines += ["", text.format(**long) + f"{long['seconds']:.1f} s."]
    return "\n".join([*lines, "", *goals(figures)])


def _both(found: list[float]) -> str:
    return f"{median(found):.2f}, {max(found):.2f}"


def goals(figures: Figures) -> list[str]:
    """What was wanted, and whether it is so."""
    wanted = []
    if {"rserpool", "dask"} <= set(figures["rate"]):
        beside = figures["rate"]["rserpool"] / figures["rate"]["dask"]
        wanted.append((beside >= 2, f"twice Dask's rate: {beside:.1f} times"))
    if naps := figures["naps"].get("rserpool"):
        whole, killed = median(naps["0"]), median(naps["1"])
        wanted.append((whole <= 1.08, f"at most 1.08 times the ideal: {whole:.3f}"))
        wanted.append((killed <= 1.3, f"at most 1.3 times with one killed: {killed:.3f}"))
    if found := figures["kills"].get("rserpool"):
        again = 100 * found["again"] / found["jobs"]
        wanted.append(
            (not found["lost"] and again < 5, f"none lost, less than 5 % done again: {found['lost']}, {again:.1f} %")
        )
    if long := figures["long"]:
        wanted.append(
            (long["seconds"] <= 1.1 * long["ideal"], f"a long job at most 10 % longer: {long['seconds']:.1f} s")
        )
    return [f"- {text}{'' if good else ' (MISSED)'}" for good, text in wanted]


def write(page: Path, figures: Figures) -> None:
    """Put the figures into a page, between its marks."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{page} has no place for them: {BEGIN.strip()} and {END.strip()}")
    page.write_text(f"{before}{BEGIN}\n{table(figures)}\n\n{END}{after}", "utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--rounds", type=int, default=5, help="so many of each system")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, help="these systems alone")
    parser.add_argument("--write", metavar="PAGE", help="write the figures into this page, too")


if __name__ == "__main__":
    run("jobs", "Jobs for a pool, beside what people use.", measure, table, add_arguments)
