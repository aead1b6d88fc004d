"""Many light pool elements in one process: each has an association of its own, registers, and answers keep-alives.

A process of its own, started by the benchmarks: C{python -m bench.elements --help}. It prints C{begin}, C{end} and the
number of keep-alives that it answered between the two.
"""

from __future__ import annotations

import argparse
from typing import Any

from twisted.internet import reactor as installed

from bench.load import acknowledge, registration
from rserpool.core import TransportAddress, parse_transport_address, profile
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
SETTLING = 2.0
"""Seconds between the last association and the measurement."""


class Elements(SctpHandler):
    """All of them.

    @ivar answered: how many keep-alives were answered.
    """

    def __init__(self, associations: int, each: int, seconds: float) -> None:
        self.answered = 0
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
        first = self._up * self._each + 1
        self._up += 1
        for identifier in range(first, first + self._each):
            association.send(registration(identifier), PPID_ASAP)
        if self._up == self._associations:
            self._settle()

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
            self.answered += 1

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
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    stack = open_stack(reactor, profile=options.profile, hosts=("127.0.0.1",))
    elements = Elements(options.associations, options.each, options.seconds)
    reactor.callWhenRunning(elements.start, stack, options.registrar)
    # Whatever happens, it ends.
    reactor.callLater(options.seconds + options.associations * 0.01 + 30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
