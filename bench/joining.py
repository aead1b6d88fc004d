"""How long a registrar takes to join a scope of many elements, and what that costs the users of its mentor.

C{python -m bench.joining [--json [FILE]] [--quick]}. A registrar holds 10,000 or 100,000 elements in pools of 100, and
16 clients resolve at it without end. Another registrar joins: the time counts from when it listens until it is ready.
The resolutions of that time are compared with those of the seconds before. Elements are not asked whether they live
(C{--no-keep-alive}), so that nothing else happens.
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import pairwise

from bench.processes import Processes
from bench.report import Figures, columns, progress, run
from bench.scope import Listener, Scope

GOALS = {10_000: 2.0, 100_000: 5.0}
BEFORE = 3.0
"""Seconds that are compared with."""
WAIT = 120.0


def measure(options: argparse.Namespace) -> Figures:
    """Each size as often as asked for."""
    sizes = (options.elements,) if options.elements else (10_000,) if options.quick else tuple(GOALS)
    runs = 1 if options.quick else options.runs
    cases: Figures = {}
    for size in sizes:
        several = [_run(options, size, f"{turn + 1}/{runs}") for turn in range(runs)]
        ratios = [one["ratio"] for one in several if "ratio" in one]
        by_cpu = [one["cpu_ratio"] for one in several if "cpu_ratio" in one]
        cases[str(size)] = {
            "goal": GOALS.get(size),
            "median": statistics.median(one["seconds"] for one in several),
            "worst": max(one["seconds"] for one in several),
            "ratio": statistics.median(ratios) if ratios else None,
            "cpu_ratio": statistics.median(by_cpu) if by_cpu else None,
            "equal": all(one["equal"] for one in several),
            "runs": several,
        }
    return {"clients": options.clients, "profile": options.profile, "cases": cases}


def _run(options: argparse.Namespace, size: int, turn: str) -> Figures:
    """Registrars, elements and clients of one run."""
    with Processes() as processes:
        scope = Scope(processes, 2, "--no-keep-alive", "--profile", options.profile)
        scope.start(1, peers=False)
        arguments = ("--registrar", scope.asap(1), "--elements", str(size))
        filling = processes.python("elements", "-m", "bench.filling", *arguments)
        filled = filling.says("^filled (.*)", 300.0).group(1)
        progress(f"joining {turn}: {size:,} elements registered in {filled} s")
        resolving = None
        if options.clients:
            arguments = ("--registrar", scope.asap(1), "--clients", str(options.clients))
            resolving = Listener(
                processes.python("clients", "-m", "bench.resolving", *arguments), r"^at (\S+) (\d+) (\S+)"
            )
            resolving.wait(10, 30.0)
        one = _join(scope, resolving, size)
    text = f"joining {turn}: {one['elements']:,} elements in {one['seconds']:.2f} s; processor"
    text += f" {one['mentor_cpu']:.2f} s of the mentor, {one['joiner_cpu']:.2f} s of the one that joins"
    if resolving is not None:
        text += f"; resolutions {one['before']:,.0f}/s, meanwhile {one['meanwhile']:,.0f}/s ({one['ratio']:.2f}),"
        text += f" worst {one['worst_ms']:.0f} ms"
    progress(text if one["equal"] else text + "; the handlespaces DIFFER")
    return one


def _join(scope: Scope, resolving: Listener | None, elements: int) -> Figures:
    """Let another registrar join, and end it."""
    mentor = scope.registrars[1]
    began, first = time.monotonic(), mentor.cpu()
    time.sleep(BEFORE)
    ended, second = time.monotonic(), mentor.cpu()
    joiner = scope.start(2)
    listens, used, spent = time.monotonic(), mentor.cpu(), joiner.cpu()
    ready = joiner.says(r"ready: (\d+) elements", WAIT)
    done = time.monotonic()
    figures: Figures = {
        "seconds": done - listens,
        "elements": int(ready.group(1)),
        "mentor_cpu": mentor.cpu() - used,
        "joiner_cpu": joiner.cpu() - spent,
    }
    equal = scope.equal(10.0)[0]
    if resolving is not None:
        lines = [(float(match[1]), int(match[2]), float(match[3])) for _, match in resolving.found]
        figures["before"], _ = _rate(lines, began, ended)
        figures["meanwhile"], figures["worst_ms"] = _rate(lines, listens, done)
        figures["ratio"] = figures["meanwhile"] / figures["before"]
        # What a loaded machine does not change: resolutions for the same processor time.
        per_second = figures["before"] * (ended - began) / (second - first)
        figures["cpu_ratio"] = figures["meanwhile"] * (done - listens) / figures["mentor_cpu"] / per_second
    # The pool of the clients is there too.
    return {**figures, "equal": equal and figures["elements"] >= elements}


def _rate(lines: list[tuple[float, int, float]], begin: float, end: float) -> tuple[float, float]:
    """Answers a second between two times, and the worst latency; each line counts for the time since the last."""
    answers = worst = 0.0
    for (last, _, _), (now, count, latency) in pairwise(lines):
        shared = min(now, end) - max(last, begin)
        if shared > 0:
            answers += count * shared / (now - last)
            worst = max(worst, latency)
    return answers / (end - begin), worst


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    for size, one in figures["cases"].items():
        median = {key: statistics.median(run[key] for run in one["runs"]) for key in ("mentor_cpu", "joiner_cpu")}
        goal = "" if one["goal"] is None else f"{one['goal']:g}"
        several = [f"{int(size):,}", f"{one['median']:.2f}", f"{one['worst']:.2f}", goal]
        several += [f"{median['mentor_cpu']:.2f}", f"{median['joiner_cpu']:.2f}"]
        several += ["" if one[ratio] is None else f"{one[ratio]:.2f}" for ratio in ("ratio", "cpu_ratio")]
        several.append("yes" if one["equal"] else "NO")
        rows.append(several)
    head = ["elements", "median s", "worst s", "goal s", "processor s: mentor", "joining"]
    head += ["resolutions meanwhile, of before (goal 0.85)", "by processor time", "equal"]
    clients = f"{figures['clients']} clients resolve at the mentor" if figures["clients"] else "nobody resolves"
    return f"Joining: {clients}, profile {figures['profile']}\n" + columns(head, rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clients", type=int, default=16, help="that resolve at the mentor; 0 for none")
    parser.add_argument("--elements", type=int, help="one size instead of 10,000 and 100,000")
    parser.add_argument("--profile", default="default")


if __name__ == "__main__":
    run("joining", "A registrar joins a scope of many elements.", measure, table, add_arguments)
