"""How long each face takes to import: C{python -m bench.imports [--runs N]}.

Each import is timed in fresh processes (the median of their processor time), and set against that of
C{twisted.internet.reactor}, which every program with a reactor pays anyway.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

from tests.test_public import listed

REACTOR = "twisted.internet.reactor"
PROGRAM = """
import sys, time
began = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - began, len(sys.modules), sum(name.startswith("rserpool") for name in sys.modules))
"""


def imported(name: str) -> tuple[float, int, int]:
    """Milliseconds, and how many modules are there then: all, and this package's."""
    printed = subprocess.run([sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, check=True).stdout
    seconds, loaded, ours = printed.split()
    return float(seconds) * 1000, int(loaded), int(ours)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m bench.imports", description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="processes for each face")
    options = parser.parse_args(arguments)
    names = [REACTOR, *sorted(listed())]
    runs: dict[str, list[tuple[float, int, int]]] = {name: [] for name in names}
    # Turn by turn, so that a busy moment hits all of them.
    for _ in range(options.runs):
        for name in names:
            runs[name].append(imported(name))
    reactor = median(run[0] for run in runs[REACTOR])
    print("| face | ms | of the reactor's | modules | ours |")
    print("|---|---|---|---|---|")
    for name, found in runs.items():
        milliseconds = median(run[0] for run in found)
        share = f"{milliseconds / reactor:.2f}"
        print(f"| `{name}` | {milliseconds:.0f} | {share} | {found[0][1]} | {found[0][2]} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
