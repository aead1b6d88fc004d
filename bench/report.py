"""What every benchmark shares: its options, progress on stderr, and figures as JSON or as a table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.processes import end_cleanly

Figures = dict[str, Any]


def run(
    name: str,
    description: str,
    measure: Callable[[argparse.Namespace], Figures],
    table: Callable[[Figures], str],
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Measure, print the table; with C{--json} print the figures instead, or write them to a file too."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=description)
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="JSON instead of the table, or to FILE")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works")
    if add_arguments is not None:
        add_arguments(parser)
    options = parser.parse_args()
    end_cleanly()
    figures = measure(options)
    if options.json not in (None, "-"):
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2) if options.json == "-" else table(figures))


def progress(text: str) -> None:
    """One line on stderr."""
    print(text, file=sys.stderr, flush=True)


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    )


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value below which this part (0.0 to 1.0) of the ordered values lies."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def pace(latencies: Sequence[float], seconds: float) -> Figures:
    """How fast answers came.

    @param latencies: of each answer, in seconds.
    @param seconds: in so long.
    """
    ordered = sorted(latencies)
    return {
        "answers": len(ordered),
        "per_second": len(ordered) / seconds,
        "p50_ms": 1000 * percentile(ordered, 0.5),
        "p99_ms": 1000 * percentile(ordered, 0.99),
    }


def when(part: Figures) -> str:
    """When and where figures of a page were measured, and what they are worth."""
    about = part["machine"]
    text = f"{about['date']}, {about['cores']} cores, CPython {about['python']}"
    text += f", load {about['load_before']:.1f} when it began, {part['seconds'] / 60:.0f} minutes."
    if part["quick"]:
        text += " **A quick run, which only shows that it works: take no figure from it.**"
    elif about["load_before"] > about["cores"]:
        text += " **Others used the machine: take the order of magnitude, no figure.**"
    return text
