"""How cost grows, and a model for 1,000,000 elements: C{python -m bench.growth [--part PART] [--quick [--write]]}.

Figures go to C{docs/growth.json}, and from there into C{docs/growth.md} and its picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.growth import model, page
from bench.growth.measure import SERIES, series
from bench.processes import ROOT, Processes, end_cleanly
from bench.report import Figures, progress
from bench.run import machine

PARTS = ("all", "measure", "model", "page")


def simulations(quick: bool) -> list[Figures]:
    """The simulations, each in a process of its own; the smallest alone if it is to be quick."""
    found = []
    for elements, registrars in model.CHECKED[:1] if quick else model.CHECKED:
        with Processes() as processes:
            arguments = ("--elements", str(elements), "--registrars", str(registrars))
            one = processes.python("simulation", "-m", "bench.growth.simulated", *arguments)
            found.append(json.loads(one.says("^{", 900.0).string))
        progress(f"growth, simulation: {elements:,} elements under {registrars} registrars")
    return found


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description="How cost grows.")
    parser.add_argument("--part", choices=PARTS, default="all", help="page: nothing is measured, only written")
    parser.add_argument("--only", nargs="+", choices=tuple(SERIES), help="these series; the others stay as they are")
    parser.add_argument("--budget", type=float, default=50.0, help="seconds for each series (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works; writes nothing")
    parser.add_argument("--write", action="store_true", help="write the page from a quick run, too")
    parser.add_argument("--json", metavar="FILE", help="the figures of this run go here, too")
    return parser.parse_args()


def main() -> int:
    """Measure, and write."""
    options = arguments()
    end_cleanly()
    figures: dict[str, Any] = json.loads(page.FIGURES.read_text()) if page.FIGURES.exists() else {}
    about: dict[str, Any] = figures.setdefault("about", {})
    if options.part in ("all", "measure"):
        here, began = machine(), time.monotonic()
        seconds, budget = (0.3, 6.0) if options.quick else (1.0, options.budget)
        found = {name: series(name, seconds, budget) for name in SERIES if name in (options.only or SERIES)}
        figures["series"] = {name: found.get(name) or figures["series"][name] for name in SERIES}
        about["series"] = {"machine": here, "quick": options.quick, "seconds": time.monotonic() - began}
    if options.part in ("all", "model"):
        here, began = machine(), time.monotonic()
        figures["simulated"] = simulations(options.quick)
        about["simulated"] = {"machine": here, "quick": options.quick, "seconds": time.monotonic() - began}
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")
    print(page.table(figures))
    if options.part == "page" or not options.quick or options.write:
        page.FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        for path, text in page.write(figures).items():
            path.write_text(text, "utf-8")
            progress(f"written: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
