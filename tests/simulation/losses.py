"""Elements that live, over ways that lose packets: C{python -m tests.simulation.losses [--loss 0.05] ...}.

Every element that a registrar removes, although its process lives and serves, is a false removal.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from rserpool.core.profiles import DEFAULT, Profile
from rserpool.core.registrar.events import ElementRemoved
from tests.simulation.cluster import Cluster

BOUND = 10 / 50_000
"""So many false removals there may be in a second of one element, at 5 % of loss each way."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    @ivar removals: how many elements were removed.
    @ivar lives: seconds of all elements together.
    @ivar slowest: after how many seconds a host that fell silent was gone at the latest.
    @ivar trace: everything.
    """

    removals: int
    lives: float
    slowest: float
    trace: str


def lose(
    seed: int,
    *,
    loss: float = 0.05,
    elements: int = 50,
    seconds: float = 1000.0,
    silent: int = 5,
    latency: float = 0.01,
    registrars: int = 1,
    profile: Profile = DEFAULT,
) -> Outcome:
    """Let elements live for so many seconds; then some hosts fall silent."""
    cluster = Cluster(seed, registrars, profile=profile)
    try:
        cluster.network.latency = cluster.network.jitter = latency
        cluster.lose(loss)
        for number in range(elements):
            cluster.element("pool", identifier=number + 1)
        cluster.advance(10.0)
        before = len(cluster.trace.events(ElementRemoved))
        cluster.advance(seconds)
        removals = len(cluster.trace.events(ElementRemoved)) - before
        slowest = max((_gone(cluster, number) for number in range(silent)), default=0.0)
        return Outcome(removals // registrars, elements * seconds, slowest, cluster.trace.text() if removals else "")
    finally:
        cluster.close()


def _gone(cluster: Cluster, number: int) -> float:
    """How long it takes until nobody knows an element any more whose host falls silent."""
    element = cluster.elements[number]
    cluster.until(lambda: all(number + 1 in each.elements("pool") for each in cluster.registrars))
    cluster.silence(element)
    return cluster.until(lambda: not any(number + 1 in each.elements("pool") for each in cluster.registrars))


def main(arguments: list[str]) -> int:
    """Run, and say how it went; 1 if too many were removed, or too late."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.losses", description=__doc__)
    parser.add_argument("--loss", type=float, default=0.05)
    parser.add_argument("--elements", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=1000.0)
    parser.add_argument("--latency", type=float, default=0.01, help="one way, and as much jitter at most")
    parser.add_argument("--registrars", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", action="store_true")
    options = vars(parser.parse_args(arguments))
    show, seed = options.pop("trace"), options.pop("seed")
    outcome = lose(seed, **options)
    if show:
        print(outcome.trace)
    print(
        f"{outcome.removals} false removals in {outcome.lives:.0f} element-seconds at {options['loss']:.0%} of loss"
        f" each way; silent hosts are gone within {outcome.slowest:.2f} s (seed {seed})"
    )
    return int(outcome.removals > BOUND * outcome.lives or outcome.slowest > 1.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
