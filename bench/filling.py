"""Fills a registrar with light elements: some associations with thousands of elements each, which answer keep-alives.

A process of its own, started by the benchmarks: C{python -m bench.filling --help}. It prints C{filled SECONDS} when all
are registered, and stays. Elements follow whoever asks them with a keep-alive, so that they can be taken over.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

from twisted.internet import reactor as installed
from twisted.python.failure import Failure

from bench.load import acknowledge
from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport, TransportAddress, parse_transport_address
from rserpool.core.profiles import RFC
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
EACH = 10_000
"""Elements that one association may register."""
WINDOW = 10
"""Registrations that an association has under way."""
LIFE = 3600


class Filling(SctpHandler):
    """All elements."""

    def __init__(self, elements: int, pool: int) -> None:
        self._pool = pool
        self._elements = elements
        self._left = elements
        self._ranges = iter(range(0, elements, EACH))
        self._next: dict[ISctpAssociation, range] = {}
        self._failed = False
        self._began = perf_counter()

    def start(self, stack: Any, to: TransportAddress) -> None:
        """Connect."""
        for _ in range(0, self._elements, EACH):
            stack.open(0, self, ("127.0.0.1",)).connect(to)

    def associationUp(self, association: ISctpAssociation) -> None:
        if association.outbound:
            first = next(self._ranges)
            self._next[association] = range(first, min(first + EACH, self._elements))
            for _ in range(WINDOW):
                self._register(association)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
        elif data[0] == asap.RegistrationResponse.TYPE:
            answer = asap.decode(data).message
            if isinstance(answer, asap.RegistrationResponse) and answer.rejected:
                self._fail(f"a registration was refused: {answer.causes}")
            self._left -= 1
            if self._left:
                self._register(association)
            else:
                print(f"filled {perf_counter() - self._began:.3f}", flush=True)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        if self._left:
            self._fail(f"an association was lost: {reason.getErrorMessage()}")

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            print(why, flush=True)
            reactor.stop()

    def _register(self, association: ISctpAssociation) -> None:
        places = self._next[association]
        if not places:
            return
        self._next[association] = places[1:]
        handle = b"pool-%d" % (places[0] // self._pool)
        element = PoolElementParameter(places[0] + 1, 0, LIFE, TcpTransport(8080, "127.0.0.1"), PolicyParameter(1))
        association.send(asap.encode(asap.Registration(handle, element)), PPID_ASAP)


def main() -> None:
    """Register, and stay."""
    parser = argparse.ArgumentParser(description="Fills a registrar with elements.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--elements", type=int, default=10_000)
    parser.add_argument("--pool", type=int, default=100, help="elements in one pool")
    parser.add_argument("--seconds", type=float, default=600.0, help="when it ends at the latest")
    options = parser.parse_args()
    stack = open_stack(reactor, profile=RFC, hosts=("127.0.0.1",))
    filling = Filling(options.elements, options.pool)
    reactor.callWhenRunning(filling.start, stack, options.registrar)
    reactor.callLater(options.seconds, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
