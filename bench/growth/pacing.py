"""Resolutions at a given rate, over 16 associations of one process.

A process of its own, started by the benchmarks: C{python -m bench.growth.pacing --help}. It prints C{begin}, C{end} and
one line of JSON; between the first two it measures.
"""

from __future__ import annotations

import argparse
import json
from time import perf_counter
from typing import Any

from twisted.internet import reactor as installed

from bench.load import POOL, Associations, fill
from bench.report import pace
from rserpool.core import parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP

reactor: Any = installed
BEAT = 0.005
CLIENTS = 16


class Paced:
    """One client after the other asks when it is time."""

    def __init__(self, rate: float, seconds: float) -> None:
        self._rate = rate
        self._seconds = seconds
        self._sent = 0
        self._times: list[list[float]] = []
        self._latencies: list[float] = []

    def start(self, associations: list[ISctpAssociation], handler: Any) -> None:
        """All are connected."""
        self._associations = associations
        for association in associations:
            waiting: list[float] = []
            self._times.append(waiting)
            handler.lanes[association] = _Lane(waiting, self._latencies)
        print("begin", flush=True)
        self._began = perf_counter()
        self._beat()

    def _beat(self) -> None:
        passed = perf_counter() - self._began
        if passed > self._seconds:
            print("end", flush=True)
            print(json.dumps(pace(self._latencies, passed)), flush=True)
            reactor.callLater(0.05, reactor.stop)
            return
        request = asap.encode(asap.HandleResolution(POOL))
        while self._sent < passed * self._rate:
            lane = self._sent % len(self._associations)
            self._times[lane].append(perf_counter())
            self._associations[lane].send(request, PPID_ASAP)
            self._sent += 1
        reactor.callLater(BEAT, self._beat)


class _Lane:
    def __init__(self, waiting: list[float], latencies: list[float]) -> None:
        self._waiting = waiting
        self._latencies = latencies

    def answered(self, kind: int) -> None:
        """The oldest question has its answer."""
        if kind == asap.HandleResolutionResponse.TYPE:
            self._latencies.append(perf_counter() - self._waiting.pop(0))


def main() -> None:
    """Ask until the time is over."""
    parser = argparse.ArgumentParser(description="Resolutions at a given rate.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    stack = open_stack(reactor, profile=DEFAULT, hosts=("127.0.0.1",))
    paced = Paced(options.rate, options.seconds)

    def begin() -> None:
        handler = Associations(CLIENTS, lambda associations: paced.start(associations, handler))
        for _ in range(CLIENTS):
            stack.open(0, handler, ("127.0.0.1",), False).connect(options.registrar)

    reactor.callWhenRunning(fill, stack, options.registrar, 10, begin)
    reactor.callLater(options.seconds + 30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
