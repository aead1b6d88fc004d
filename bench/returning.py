"""Many elements that come at once, as after a restart of their registrar: how long until all are registered.

A process of its own, started by the benchmarks: C{python -m bench.returning --help}. It prints C{ready}, begins with
SIGUSR1, prints C{begin TIME}, and C{end TIME ATTEMPTS REFUSED MISSING} when its last registration is granted, or
L{PATIENCE} is over; until it is ended it answers keep-alives.
"""

from __future__ import annotations

import argparse
import signal
import time
from random import uniform
from typing import Any

from twisted.internet import reactor as installed
from twisted.python.failure import Failure

from bench.load import acknowledge, registration
from bench.secured import element_key, over_tls
from rserpool.core import TransportAddress, parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
AGAIN, LONGEST = 0.25, 2.0
"""An element that was refused, or whose association was lost, tries again after so many seconds, twice as many each
time, and up to half of that sooner or later."""

PATIENCE = 60.0
"""Seconds after which those that are not back are counted."""


class Element(SctpHandler):
    """One of them, with a port of its own: it registers over whatever association it has with its registrar."""

    def __init__(self, all_of_them: Returning, number: int, stack: Any, to: TransportAddress) -> None:
        self._all = all_of_them
        self._number = number
        self._to = to
        self._granted = False
        self._again = AGAIN
        self._over: ISctpAssociation | None = None
        self._endpoint = stack.open(0, self, ("127.0.0.1",))

    def dial(self) -> None:
        """Register, over a new association with the registrar unless there is one."""
        if self._granted:
            return
        if self._over is not None:
            self._over.send(registration(self._number + 1), PPID_ASAP)
        else:
            self._all.attempts += 1
            self._endpoint.connect(self._to)

    def associationUp(self, association: ISctpAssociation) -> None:
        self._over = association
        self.dial()

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
        elif data[0] == asap.RegistrationResponse.TYPE and not self._granted:
            answer = asap.decode(data).message
            assert isinstance(answer, asap.RegistrationResponse)
            if answer.rejected:
                self._all.refused += 1
                self._try_again()
            else:
                self._granted = True
                self._all.granted()

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        if association is self._over:
            self._over = None
        self._try_again()

    def _try_again(self) -> None:
        reactor.callLater(self._again * uniform(0.5, 1.5), self.dial)
        self._again = min(LONGEST, 2 * self._again)


class Returning:
    """All elements.

    @ivar attempts: how often they dialled.
    @ivar refused: how many registrations were.
    """

    def __init__(self, elements: int, to: TransportAddress) -> None:
        self.attempts = self.refused = 0
        self._left = elements
        self._to = to

    def start(self, stack: Any, secured: bool, first: int) -> None:
        """Prepare, and wait for the signal."""
        elements = [
            Element(self, number, over_tls(reactor, stack, element_key(number)) if secured else stack, self._to)
            for number in range(first, first + self._left)
        ]
        # They are to come at the same moment as those of other processes.
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(self._go, elements))
        print("ready", flush=True)

    def _go(self, elements: list[Element]) -> None:
        print(f"begin {time.monotonic():.3f}", flush=True)
        reactor.callLater(PATIENCE, self._ends)
        for element in elements:
            element.dial()

    def granted(self) -> None:
        """One more is registered."""
        self._left -= 1
        if not self._left:
            self._ends()

    def _ends(self) -> None:
        print(f"end {time.monotonic():.3f} {self.attempts} {self.refused} {self._left}", flush=True)


def main() -> None:
    """Register until all are there."""
    parser = argparse.ArgumentParser(description="Elements that come at once.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--elements", type=int, default=125)
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--secured", action="store_true", help="over TLS, each by a key of its own")
    options = parser.parse_args()
    stack = open_stack(reactor, profile=DEFAULT, hosts=("127.0.0.1",))
    returning = Returning(options.elements, options.registrar)
    reactor.callWhenRunning(returning.start, stack, options.secured, options.first)
    # Whatever happens, it ends.
    reactor.callLater(4 * PATIENCE, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
