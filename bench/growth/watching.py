"""Watchers of one pool, in one process, an association each; an element comes and goes, and each is told.

A process of its own, started by the benchmarks: C{python -m bench.growth.watching --help}. It prints C{begin}, C{end}
and one line of JSON; between the first two it measures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from time import perf_counter
from typing import Any

from twisted.internet import reactor as installed
from twisted.python.failure import Failure

from bench.load import POOL, acknowledge, registration
from rserpool.core import TransportAddress, parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
PAUSE = 0.15
"""Seconds between the last one who was told and the next change: longer than a registrar waits for more of them."""
EXTRA = 77_777


class Watching(SctpHandler):
    """All of them, and the element."""

    def __init__(self, watchers: int, seconds: float) -> None:
        self._watchers = watchers
        self._seconds = seconds
        self._element: ISctpAssociation | None = None
        self._up: list[ISctpAssociation] = []
        self._told = 0
        self._there = False
        self._changed = 0.0
        self._end = 0.0
        self._times: list[float] = []

    def start(self, stack: Any, to: TransportAddress) -> None:
        """Connect, a few at a time; the first is the element."""
        self._connect(stack, to, self._watchers + 1)

    def _connect(self, stack: Any, to: TransportAddress, left: int) -> None:
        for _ in range(min(left, 5)):
            stack.open(0, self, ("127.0.0.1",), False).connect(to)
        if left > 5:
            reactor.callLater(0.01, self._connect, stack, to, left - 5)

    def associationUp(self, association: ISctpAssociation) -> None:
        if self._element is None:
            self._element = association
            association.send(registration(1), PPID_ASAP)
            return
        self._up.append(association)
        association.send(asap.encode(asap.HandleResolution(POOL, subscribe=True)), PPID_ASAP)
        if len(self._up) == self._watchers:
            reactor.callLater(1.0, self._begin)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        if reactor.running:
            sys.exit(f"an association was lost: {reason.getErrorMessage()}")

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
        elif data[0] == asap.HandleResolutionResponse.TYPE and self._end:
            self._told += 1
            if self._told == self._watchers:
                self._times.append(perf_counter() - self._changed)
                reactor.callLater(PAUSE, self._change)

    def _begin(self) -> None:
        print("begin", flush=True)
        self._end = perf_counter() + self._seconds
        self._change()

    def _change(self) -> None:
        assert self._element is not None
        if perf_counter() > self._end and len(self._times) > 1:
            print("end", flush=True)
            last = 1000 * statistics.median(self._times)
            print(json.dumps({"answers": len(self._times) * self._watchers, "last_ms": last}), flush=True)
            reactor.callLater(0.1, reactor.stop)
            return
        self._told = 0
        self._changed = perf_counter()
        self._there = not self._there
        message = registration(EXTRA) if self._there else asap.encode(asap.Deregistration(POOL, EXTRA))
        self._element.send(message, PPID_ASAP)


def main() -> None:
    """Watch until the time is over."""
    parser = argparse.ArgumentParser(description="Watchers of one pool.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--watchers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    stack = open_stack(reactor, profile=DEFAULT, hosts=("127.0.0.1",))
    watching = Watching(options.watchers, options.seconds)
    reactor.callWhenRunning(watching.start, stack, options.registrar)
    reactor.callLater(options.seconds + 60, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
