"""Many light pool elements in one process: each has an association of its own, registers, and answers keep-alives.

A process of its own, started by the benchmarks: C{python -m bench.elements --help}. It prints C{begin}, C{end} and the
number of keep-alives that it answered between the two; or of answers, where it asks instead.
"""

from __future__ import annotations

import argparse
import signal
from collections import deque
from random import uniform
from typing import Any

from twisted.internet import reactor as installed

from bench.load import POOL, acknowledge, registration, requests
from rserpool.core import TransportAddress, parse_transport_address, profile
from rserpool.core.effects import Notify
from rserpool.core.element.asked import Asked
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.element import heartbeats
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
LIFE = 3600
"""Seconds for which they are registered."""
SETTLING = 6.0
"""Seconds between the last association and the measurement, where nobody says another time: the registrar has to find
out what supervision costs."""
AT_ONCE = 16
"""So many set-ups are under way at a time."""
SIZE = 10
"""Elements of the pool that is asked for."""


class Elements(SctpHandler):
    """All of them.

    @ivar answered: how many keep-alives were answered, or questions.
    """

    def __init__(self, associations: int, each: int, seconds: float, asks: float) -> None:
        self.answered = 0
        self._asks = asks
        self._waiting: deque[Any] = deque()
        self.first, self.pace, self.again, self.pool, self.settling = 1, 0.005, 0, POOL, SETTLING
        self._asked: dict[ISctpAssociation, Asked] = {}
        self._registered: dict[int, tuple[ISctpAssociation, bytes]] = {}
        self._question = next(requests("resolve", 0))
        self._associations = associations
        self._each = each
        self._seconds = seconds
        self._up: set[int] = set()
        self._numbers: dict[Any, int] = {}
        self._to: Any = None
        self._settled = False

    def start(self, stack: Any, to: TransportAddress) -> None:
        """Connect, a few at a time."""
        print("udp", stack.encapsulation_port, flush=True)
        self._to = to
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(self._register_again))
        for number in range(self._associations):
            endpoint = stack.open(0, self, ("127.0.0.1",))
            self._numbers[endpoint] = number
        self._waiting = deque(self._numbers)
        for _ in range(min(AT_ONCE, self._associations)):
            self._next()
        if not self._associations:
            self._settle()

    def _next(self) -> None:
        if self._waiting:
            reactor.callLater(self.pace, self._waiting.popleft().connect, self._to)

    def associationUp(self, association: Any) -> None:
        number = self._numbers[association.endpoint]
        if number not in self._up:
            self._next()
        each = self._each if not self._asks else 0 if number else SIZE
        for identifier in range(self.first + number * each, self.first + (number + 1) * each):
            self._register(association, identifier)
        if self._asks:
            self._ask_on(association)
        self._up.add(number)
        if len(self._up) == self._associations and not self._settled:
            self._settle()

    def associationLost(self, association: Any, reason: Any) -> None:
        """Its place is taken by another one, as an element does."""
        print("lost", reason.getErrorMessage(), flush=True)
        self._asked.pop(association, None)
        reactor.callLater(1.0, self._again, association.endpoint)

    def _again(self, endpoint: Any) -> None:
        if not endpoint.associations:  # else the registrar has dialled it
            endpoint.connect(self._to)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
            self._follow(association)
            self.answered += not self._asks
        elif data[0] == asap.HandleResolutionResponse.TYPE:
            self.answered += 1

    def _register(self, association: ISctpAssociation, identifier: int) -> None:
        message = registration(identifier, self.pool, LIFE)
        association.send(message, PPID_ASAP)
        if len(self._registered) < self.again or identifier in self._registered:
            self._registered[identifier] = association, message

    def _register_again(self) -> None:
        """All at once."""
        for association, message in self._registered.values():
            association.send(message, PPID_ASAP)

    def _follow(self, association: Any) -> None:
        """As an element does."""
        usual = DEFAULT.keep_alive_interval
        asked = self._asked.get(association) or self._asked.setdefault(association, Asked(usual))
        for effect in asked.heard(reactor.seconds()):
            if isinstance(effect, Notify):
                heartbeats.follow(association.endpoint, DEFAULT, effect.event.seconds)

    def _ask_on(self, association: ISctpAssociation) -> None:
        """Ask now and then, as often as an element is asked."""
        pause = self._associations / self._asks * uniform(0.5, 1.5)
        reactor.callLater(pause, self._ask, association)

    def _ask(self, association: ISctpAssociation) -> None:
        association.send(self._question, PPID_ASAP)
        self._ask_on(association)

    def _settle(self) -> None:
        self._settled = True
        reactor.callLater(self.settling, self._begin)
        reactor.callLater(self.settling + self._seconds, self._end)

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
    parser.add_argument("--first", type=int, default=1, help="the identifier of the first element")
    parser.add_argument("--pool", default=POOL.decode())
    parser.add_argument("--pace", type=float, default=0.005, help="seconds before an association is opened")
    parser.add_argument("--again", type=int, default=0, help="so many register again at once when told to (SIGUSR1)")
    parser.add_argument("--asks", type=float, default=0.0, help="so many resolutions a second instead of elements")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--settling", type=float, default=SETTLING, help="seconds before it begins")
    options = parser.parse_args()
    stack = open_stack(reactor, profile=options.profile, hosts=("127.0.0.1",))
    elements = Elements(options.associations, options.each, options.seconds, options.asks)
    elements.first, elements.pace, elements.again = options.first, options.pace, options.again
    elements.pool, elements.settling = options.pool.encode(), options.settling
    reactor.callWhenRunning(elements.start, stack, options.registrar)
    # Whatever happens, it ends.
    reactor.callLater(options.settling + options.seconds + options.associations * 0.01 + 30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
