"""Resolves over and over, as C{bench.load} does, and prints how often and how fast as it goes.

A process of its own, started by the benchmarks: C{python -m bench.resolving --help}. A line is C{at SECONDS ANSWERS
WORST}: the monotonic clock, answers since the last line, and the longest of them in ms.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.task import LoopingCall

from bench.load import Load, fill, over_sctp
from rserpool.core import parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.sctp import open_stack

reactor: Any = installed
STEP = 0.1
"""Seconds from line to line."""


def main() -> None:
    """Resolve until ended, or until the time is over."""
    parser = argparse.ArgumentParser(description="Clients of a registrar that resolve without end.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--elements", type=int, default=10, help="size of the pool")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=300.0, help="when it ends at the latest")
    options = parser.parse_args()
    load = Load("resolve", 1, 0.0, options.seconds)

    def tell() -> None:
        count, worst = len(load.latencies), max(load.latencies, default=0.0)
        del load.latencies[:]
        print(f"at {time.monotonic():.4f} {count} {1000 * worst:.2f}", flush=True)

    def begin() -> None:
        over_sctp(stack, options.registrar, options.clients, load)
        LoopingCall(tell).start(STEP, now=False)

    stack = open_stack(reactor, profile=DEFAULT, hosts=("127.0.0.1",))
    reactor.callWhenRunning(fill, stack, options.registrar, options.elements, begin)
    reactor.callLater(options.seconds + 30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
