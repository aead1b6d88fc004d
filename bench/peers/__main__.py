"""etcd, ZooKeeper and rsplib beside this package: C{python -m bench.peers [--part PART] [--quick [--write]]}.

Each system does the same work, by default and tuned. Figures go to C{docs/peers.json}, and from there into
C{docs/peers.md} and its picture.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.enclosed import enclosed, settle
from bench.peers import host, page
from bench.peers.registries import SETTINGS, Setting, available
from bench.processes import ROOT, Ended, end_cleanly
from bench.report import Figures, progress
from bench.run import machine

FAILURES = (Ended, TimeoutError, OSError, subprocess.SubprocessError, KeyError, ValueError)
PARTS = ("all", "host", "lab", "page")
LONGEST = {"host": 3600.0, "lab": 3600.0}
"""A half ends after so many seconds, whatever happens; on a machine at rest it takes an eighth of that."""


def on_this_host(options: argparse.Namespace) -> Figures:
    """All systems that are installed, one after the other."""
    settle()
    about, began = machine(), time.monotonic()
    amount = host.QUICK if options.quick else host.Amount()
    found: Figures = {}
    left_out: dict[str, str] = {}
    for setting in SETTINGS:
        if why := available(setting.system):
            left_out[setting.system] = why
            continue
        if options.only and setting.system not in options.only:
            left_out[setting.system] = "it was not asked for"
            continue
        since = time.monotonic()
        try:
            one, three = _twice(setting, host.alone, amount), _twice(setting, host.three, amount)
        except FAILURES as error:
            left_out[setting.title] = f"it failed twice ({error})"
            continue
        found[setting.title] = {"says": setting.says, "one": one, "three": three}
        progress(f"{setting.title}: {time.monotonic() - since:.0f} s")
    for why in left_out.items():
        progress("left out: {}: {}".format(*why))
    return {
        "machine": about,
        "quick": options.quick,
        "seconds": time.monotonic() - began,
        "systems": found,
        "left_out": left_out,
    }


def _twice(setting: Setting, measure: Callable[[Setting, host.Amount], Figures], amount: host.Amount) -> Figures:
    """A registry that gives up on a busy machine has another chance."""
    try:
        return measure(setting, amount)
    except FAILURES as error:
        progress(f"{setting.title}, again, since {error}")
        return measure(setting, amount)


def in_the_lab(quick: bool) -> Figures:
    """rsplib."""
    about, began = machine(), time.monotonic()
    command = [sys.executable, "-m", "bench.lab", "--seconds", str(LONGEST["lab"]), "peers.rsplib", "--json"]
    running = subprocess.Popen([*command, *["--quick"] * quick], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    said: list[str] = []
    try:
        # The lab ends in time, and its output with it.
        for line in running.stdout:
            # The guest has one screen: progress is on it, too.
            if said[-1:] != ["}"] and (said or line.rstrip() == "{"):
                said.append(line.rstrip())
            else:
                progress(line.rstrip())
        running.wait(60)
    finally:
        running.terminate()
        running.wait(60)
    if said[-1:] != ["}"]:
        raise RuntimeError("it gave no figures")
    figures: Figures = json.loads("\n".join(said))
    return {"machine": about, "seconds": time.monotonic() - began, **figures}


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__.split(":")[0])
    parser.add_argument("--part", choices=PARTS, default="all", help="page: nothing is measured, only written")
    parser.add_argument("--only", nargs="+", metavar="SYSTEM", help="etcd, ZooKeeper, rserpool; writes nothing")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works; writes nothing")
    parser.add_argument("--write", action="store_true", help="write the page from a quick run, too")
    parser.add_argument("--json", metavar="FILE", help="the figures of this run go here, too")
    return parser.parse_args()


def main() -> int:
    """Measure, and write."""
    options = arguments()
    end_cleanly()
    halves = ("host", "lab") if options.part == "all" else (options.part,)
    if "host" in halves:
        # This process only waits for the one that is enclosed.
        code = enclosed("bench.peers", sys.argv[1:], sum(LONGEST[half] for half in halves))
        if code is not None:
            return code
    figures: dict[str, Any] = json.loads(page.FIGURES.read_text()) if page.FIGURES.exists() else {}
    failed = False
    for half in halves:
        try:
            if half != "page":
                figures[half] = on_this_host(options) if half == "host" else in_the_lab(options.quick)
        except (*FAILURES, RuntimeError) as error:
            failed = True
            progress(f"the {half}: {error}; what the page has of it stays")
        else:
            # What is measured is not lost, whatever becomes of the other half.
            keep(figures, options)
    print(page.table(figures))
    return int(failed)


def keep(figures: dict[str, Any], options: argparse.Namespace) -> None:
    """Write what there is, if this is no run that only tries."""
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
    if options.part == "page" or not (options.quick or options.only) or options.write:
        page.FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        for path, text in page.write(figures).items():
            path.write_text(text, "utf-8")
            progress(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
