"""A registrar fails: the gap that its users see, and how long until its elements have a new home.

C{python -m bench.takeover [--json [FILE]] [--quick]}. Three registrars (C{twistd rserpool-ns}) are each other's peers.
The first is the home of two web servers (C{twistd rserpool-pe}), of 100 light elements that wait to be taken over, and
of two users: one resolves, without a cache, the other calls a server over a new connection each time. Then the first is
killed (SIGKILL), or stopped (SIGSTOP).

A gap is the longest time between two answers around the fault. The new home is there when in the handlespaces of both
other registrars, read every 20 ms, all elements are there and none has its home at the first.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

from bench.processes import TWISTD, Processes
from bench.report import Figures, columns, progress, run
from bench.scope import Listener, Scope

SERVERS = 2
LIGHT = 100
PATIENCE = 15.0
CASES = {
    "killed": (signal.SIGKILL, {"resolution_ms": 60.0, "call_ms": 60.0, "home_ms": 1000.0}),
    "stopped": (signal.SIGSTOP, {"home_ms": 3000.0}),
}
CALM = 2.0
"""Seconds before the fault whose gaps are shown beside those around it: what the machine alone makes of them."""
COLUMNS = {
    "calm_resolution_ms": "before: resolutions",
    "calm_call_ms": "before: calls",
    "resolution_ms": "gap: resolutions",
    "call_ms": "gap: calls",
    "takeover_ms": "takeover announced",
    "home_ms": "new home for all",
}


def measure(options: argparse.Namespace) -> Figures:
    """Each fault so many times, each time with new processes."""
    runs = 1 if options.quick else options.runs
    cases: Figures = {}
    for name in (options.fault,) if options.fault else CASES:
        fault, goals = CASES[name]
        several: list[Figures] = []
        for turn in range(runs):
            several.append(_run(fault, options.profile))
            shown = ", ".join(f"{what} {several[-1][key]:.0f} ms" for key, what in COLUMNS.items())
            progress(f"takeover {name} {turn + 1}/{runs}: {shown}, {several[-1]['failed']} failed")
        cases[name] = {"goals": goals, "runs": several}
        for key in COLUMNS:
            values = [one[key] for one in several]
            cases[name][key] = {"median": statistics.median(values), "worst": max(values)}
    return {"runs": runs, "profile": options.profile, "servers": SERVERS, "light": LIGHT, "cases": cases}


def _run(fault: int, profile: str) -> Figures:
    with Processes() as processes:
        scope = Scope(processes, 3, "--profile", profile)
        # So long as it is alone, everybody has its home here.
        first = scope.start(1)
        first.says("ready: ")
        known = [argument for number in (1, 2, 3) for argument in ("--registrar", scope.asap(number))]
        light = ("-m", "bench.filling", "--registrar", scope.asap(1), "--elements", str(LIGHT))
        elements = [processes.python("light elements", *light)]
        for number in range(1, SERVERS + 1):
            web = ("--", "web", "--listen", "tcp:0:interface=127.0.0.1", "--path", "docs")
            options = ("--pool", "www", "--identifier", str(0xA000000 + number), "--profile", profile)
            elements.append(
                processes.python(f"server {number}", *TWISTD, "rserpool-pe", *options, *known, *web),
            )
        for element in elements:
            element.says("^filled|registered as")
        switching = processes.python("user", "-m", "bench.switching", "--profile", profile, *known)
        user = Listener(switching, r"^(resolved |failed|)(.*)")
        if not user.wait(20, PATIENCE):
            raise TimeoutError("the user got no answer")
        others = [scope.start(number) for number in (2, 3)]
        for other in others:
            other.says("ready: ")
        takeovers = [Listener(other, r"0x00000001 is gone") for other in others]
        watched = [scope.enrp(number) for number in (2, 3)]
        tables = Listener(processes.python("tables", "-m", "bench.tables", "--poll", "0.02", *watched), "^{.*")
        if not user.wait(100, PATIENCE) or not _until(lambda: _complete(tables, watched, "1"), PATIENCE):
            raise TimeoutError("not everybody began")
        time.sleep(CALM + 0.5)
        failed = time.monotonic()
        first.signal(fault)
        moved = _until(lambda: _complete(tables, watched, None), PATIENCE)
        time.sleep(1.0)
        ended = time.monotonic()
        homes = [_moved(tables, where, failed) for where in watched]
        said = [match for _, match in user.found]
        resolved = [float(match[2]) for match in said if match[1] == "resolved "]
        called = [float(match[2].split()[0]) for match in said if not match[1]]
        return {
            "calm_resolution_ms": 1000 * _gap(resolved, failed - CALM, failed),
            "calm_call_ms": 1000 * _gap(called, failed - CALM, failed),
            "resolution_ms": 1000 * _gap(resolved, failed, ended),
            "call_ms": 1000 * _gap(called, failed, ended),
            "takeover_ms": 1000 * (max((when for one in takeovers for when, _ in one.found), default=ended) - failed),
            "home_ms": 1000 * (max(homes) - failed) if moved else 1000 * (ended - failed),
            "moved": moved,
            "failed": sum(match[1] == "failed" for match in said),
        }


def _complete(tables: Listener, watched: list[str], home: str | None) -> bool:
    """Whether each has all elements, and they have this home, or none of them has the first."""
    last = {one["at"]: one for one in (json.loads(match[0]) for _, match in tables.found)}
    return len(last) == len(watched) and all(
        one["elements"] == SERVERS + LIGHT and (set(one["homes"]) == {home} if home else "1" not in one["homes"])
        for one in last.values()
    )


def _moved(tables: Listener, where: str, failed: float) -> float:
    """When the last element had a new home, as this registrar sees it, and it stayed so."""
    moved = 0.0
    for found in (json.loads(match[0]) for _, match in tables.found):
        if found["at"] == where and found["time"] > failed:
            good = found["elements"] == SERVERS + LIGHT and "1" not in found["homes"]
            if not good:
                moved = 0.0
            elif not moved:
                moved = found["time"]
    return moved or time.monotonic()


def _gap(times: list[float], begin: float, end: float) -> float:
    """The longest time without an answer between the two."""
    before = max((one for one in times if one < begin), default=begin)
    around = [before, *(one for one in times if begin <= one <= end), end]
    return max(later - earlier for earlier, later in pairwise(around))


def _until(happened: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(0.02)
    return False


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    for name, one in figures["cases"].items():
        for key, what in COLUMNS.items():
            goal = one["goals"].get(key)
            several = [f"{name}: {what}", f"{one[key]['median']:.0f}", f"{one[key]['worst']:.0f}"]
            rows.append([*several, "" if goal is None else f"{goal:.0f}"])
    head = ["", "median ms", "worst ms", "goal ms"]
    failed = sum(one["failed"] for case in figures["cases"].values() for one in case["runs"])
    return (
        f"Takeover: one of three registrars fails, {figures['runs']} runs each, profile {figures['profile']},"
        f" {figures['servers']} servers and {figures['light']} light elements; {failed} failed requests\n"
        + columns(head, rows)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--fault", choices=tuple(CASES), help="one of them instead of both")
    parser.add_argument("--profile", default="default")


if __name__ == "__main__":
    run("takeover", "A registrar fails.", measure, table, add_arguments)
