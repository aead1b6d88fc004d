"""What one message may cost a registrar, at worst: a search over structured cases.

C{python -m tests.hostile.worst [--elements 20000] [--calls]}. Each case fills a registrar with so many elements, in the
shape that is worst for it, and sends it one message; each turn that the registrar takes then is measured, in processor
time or (C{--calls}) in calls of functions: from the bytes that come to the bytes that go. The unit is a resolution with
ten elements of the same run. The last line names the worst, and the status is 0 only if that is less than L{MOST}.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from rserpool.core.wire import asap
from tests.hostile.worst_cases import CASES
from tests.hostile.worst_stage import POOL, Registrar
from tests.work import calls

MOST = 200
"""So many times a resolution."""


def by_time(work: Callable[[], Any]) -> float:
    """Processor time of C{work()}, in seconds."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = time.process_time() - began
    gc.enable()
    return took


def search(
    number: int, measure: Callable[[Callable[[], Any]], float], told: Callable[[str], object] = lambda line: None
) -> dict[str, float]:
    """What each case costs at worst, in resolutions."""
    unit = Registrar(measure)
    unit.fill(10)
    units = sorted(max(unit.turns("user", asap.HandleResolution(POOL))) for _ in range(51))[25]
    costs: dict[str, float] = {}
    for name, case in CASES.items():
        registrar = Registrar(measure)
        who, message = case(registrar, number)
        registrar.effects.clear()
        turns = list(registrar.turns(who, message))
        costs[name] = max(turns) / units
        told(f"{name}: {costs[name]:.0f} resolutions at worst, in {len(turns)} turns")
    return costs


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.worst", description="What a message costs.")
    parser.add_argument("--elements", type=int, default=20_000, help="so many elements in each case (20000)")
    parser.add_argument("--calls", action="store_true", help="count calls of functions, instead of processor time")
    options = parser.parse_args()
    costs = search(
        options.elements, calls if options.calls else by_time, lambda line: print(line, file=sys.stderr, flush=True)
    )
    worst = max(costs, key=costs.__getitem__)
    print(f"{len(costs)} cases, {options.elements} elements: the worst is {worst}, {costs[worst]:.0f} resolutions")
    return 0 if costs[worst] < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
