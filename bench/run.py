"""All benchmarks, one after the other: C{python bench/run.py [--quick] [--json FILE] [NAME ...]}, or C{make bench}.

Each is a program of its own (C{python -m bench.NAME}), and ends within its time. Progress goes to stderr, the tables go
to stdout, and all figures to one JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.processes import end_cleanly  # noqa: E402

BENCHMARKS = (
    "wire",
    "handlespace",
    "sctp",
    "registrar",
    "supervision",
    "gap",
    "session",
    "churn",
    "cluster",
    "joining",
    "takeover",
    "tls",
    "proxy",
)
LIMIT = 900.0
"""Seconds that one of them may take."""


def measure(name: str, quick: bool) -> tuple[str, Any]:
    """Run one benchmark; its table and its figures."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "figures.json"
        arguments = [sys.executable, "-m", f"bench.{name}", "--json", str(file), *(["--quick"] if quick else [])]
        done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=True)
        return done.stdout, json.loads(file.read_text())


def machine() -> dict[str, Any]:
    """Where it ran; a load of others makes every figure worse."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_before": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def main() -> int:
    """Run those that were asked for."""
    parser = argparse.ArgumentParser(description="Speed and size of rserpool, as tables and as JSON.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)} (all)")
    parser.add_argument(
        "--json", metavar="FILE", default="build/bench.json", help="where all figures go (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; choose of {', '.join(BENCHMARKS)}")
    end_cleanly()
    figures: dict[str, Any] = {"machine": machine()}
    failed = 0
    for name in options.names or BENCHMARKS:
        print(f"-- {name}", file=sys.stderr, flush=True)
        try:
            table, figures[name] = measure(name, options.quick)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            failed += 1
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
        else:
            print(table, flush=True)
    Path(options.json).parent.mkdir(parents=True, exist_ok=True)
    Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")
    print(f"all figures: {options.json}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
