"""Many light pool elements in one process: each has an association of its own, registers, and answers keep-alives.

A process of its own, started by the benchmarks: C{python -m bench.elements --help}. It prints C{begin}, C{end} and the
number of keep-alives that it answered between the two; or of answers, where it asks instead.
"""

from __future__ import annotations

import argparse
from random import uniform
from typing import Any

from twisted.internet import reactor as installed

from bench.load import acknowledge, registration, requests
from rserpool.core import TransportAddress, parse_transport_address, profile
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
SETTLING = 6.0
"""Seconds between the last association and the measurement: the registrar has to find out what supervision costs."""
POOL = 10
"""Elements of the pool that is asked for."""


class Elements(SctpHandler):
    """All of them.

    @ivar answered: how many keep-alives were answered, or questions.
    """

    def __init__(self, associations: int, each: int, seconds: float, asks: float) -> None:
        self.answered = 0
        self._asks = asks
        self._question = next(requests("resolve", 0))
        self._associations = associations
        self._each = each
        self._seconds = seconds
        self._up = 0

    def start(self, stack: Any, to: TransportAddress) -> None:
        """Connect, a few at a time."""
        for number in range(self._associations):
            reactor.callLater(number * 0.005, stack.open(0, self, ("127.0.0.1",)).connect, to)
        if not self._associations:
            self._settle()

    def associationUp(self, association: ISctpAssociation) -> None:
        each = self._each if not self._asks else 0 if self._up else POOL
        first = self._up * each + 1
        self._up += 1
        for identifier in range(first, first + each):
            association.send(registration(identifier), PPID_ASAP)
        if self._asks:
            self._ask_on(association)
        if self._up == self._associations:
            self._settle()

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
            self.answered += not self._asks
        elif data[0] == asap.HandleResolutionResponse.TYPE:
            self.answered += 1

    def _ask_on(self, association: ISctpAssociation) -> None:
        """Ask now and then, as often as an element is asked."""
        pause = self._associations / self._asks * uniform(0.5, 1.5)
        reactor.callLater(pause, self._ask, association)

    def _ask(self, association: ISctpAssociation) -> None:
        association.send(self._question, PPID_ASAP)
        self._ask_on(association)

    def _settle(self) -> None:
        reactor.callLater(SETTLING, self._begin)
        reactor.callLater(SETTLING + self._seconds, self._end)

    def _begin(self) -> None:
        print("begin", flush=True)
        self.answered = 0

    def _end(self) -> None:
        print("end", self.answered, flush=True)
        reactor.stop()


def main() -> None:
    """Register, and answer until the time is over."""
    parser = argparse.ArgumentParser(description="Pool elements that register and answer keep-alives.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--profile", type=profile, default="default")
    parser.add_argument("--associations", type=int, default=100)
    parser.add_argument("--each", type=int, default=1, help="elements that each association registers")
    parser.add_argument("--asks", type=float, default=0.0, help="so many resolutions a second instead of elements")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    stack = open_stack(reactor, profile=options.profile, hosts=("127.0.0.1",))
    elements = Elements(options.associations, options.each, options.seconds, options.asks)
    reactor.callWhenRunning(elements.start, stack, options.registrar)
    # Whatever happens, it ends.
    reactor.callLater(options.seconds + options.associations * 0.01 + 30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
