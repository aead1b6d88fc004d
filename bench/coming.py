"""Elements and users that come and go, all in one process, at a steady rate and by a seed.

A process of its own, started by the benchmarks: C{python -m bench.coming --help}. After each part of the run it prints
C{done COUNT PRESENT_ELEMENTS PRESENT_USERS}, and at the end the counts of each kind of event as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from random import Random
from typing import Any

from twisted.internet import reactor as installed
from twisted.python.failure import Failure

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport, TransportAddress, parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

reactor: Any = installed
POOLS = 20
PORTS = 400
"""So many SCTP ports take turns: an association each, at a time."""
BEAT = 0.02
"""Seconds between two looks at how many events are due."""


class Guest(SctpHandler):
    """Whoever uses one SCTP port: an element, or a user, one after the other."""

    def __init__(self, churn: Churn, stack: Any) -> None:
        self._churn = churn
        self.endpoint = stack.open(0, self, ("127.0.0.1",))
        self.association: Any = None
        self.element = 0
        self.pool = b""

    @property
    def up(self) -> bool:
        """Whether its association is up."""
        return self.association is not None and self.association.established

    def come(self, element: int, pool: bytes, to: TransportAddress) -> None:
        """Open an association, as an element, or as a user if C{element} is 0."""
        self.element, self.pool = element, pool
        self.association = self.endpoint.connect(to)

    def leave(self) -> None:
        """An element deregisters and closes once that is confirmed; a user closes."""
        if not self.up:
            return
        if self.element:
            self.association.send(asap.encode(asap.Deregistration(self.pool, self.element)), PPID_ASAP)
        else:
            self.association.close()

    def die(self) -> None:
        """Go without a word."""
        if self.up:
            self.association.abort()

    def associationUp(self, association: ISctpAssociation) -> None:
        if not association.outbound:
            # The registrar asks whether one that died still lives; it does not.
            association.abort()
            return
        if self.element:
            association.send(self._registration(), PPID_ASAP)
        else:
            association.send(asap.encode(asap.HandleResolution(self.pool, subscribe=True)), PPID_ASAP)

    def again(self) -> None:
        """An element registers again, a user asks again."""
        if not self.up:
            return
        if self.element:
            self.association.send(self._registration(), PPID_ASAP)
        else:
            self.association.send(asap.encode(asap.HandleResolution(self.pool)), PPID_ASAP)

    def _registration(self) -> bytes:
        element = PoolElementParameter(self.element, 0, 60, TcpTransport(8080, "127.0.0.1"), PolicyParameter(1))
        return asap.encode(asap.Registration(self.pool, element))

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        kind = data[0]
        if kind == asap.EndpointKeepAlive.TYPE:
            asked = asap.decode(data).message
            assert isinstance(asked, asap.EndpointKeepAlive)
            association.send(asap.encode(asap.EndpointKeepAliveAck(self.pool, self.element)), PPID_ASAP)
        elif kind == asap.DeregistrationResponse.TYPE:
            association.close()

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        if association is self.association:
            self.association = None
            self._churn.gone(self)


class Churn:
    """Decides who comes and goes; about half of the ports are in use."""

    def __init__(self, to: TransportAddress, rate: float, events: int, parts: int, seed: int) -> None:
        self._to = to
        self._rate = rate
        self._events = events
        self._part = max(1, events // parts)
        self._random = Random(seed)
        self._counts: Counter[str] = Counter()
        self._free: list[Guest] = []
        self._present: dict[Guest, None] = {}
        self._next = 0
        self._began = 0.0
        self._done = 0

    def start(self, stack: Any) -> None:
        """Begin."""
        self._free = [Guest(self, stack) for _ in range(PORTS)]
        self._began = reactor.seconds()
        self._beat()

    def gone(self, guest: Guest) -> None:
        """Its association has ended: the port is free."""
        self._present.pop(guest, None)
        self._free.append(guest)

    def _beat(self) -> None:
        due = min(self._events, int((reactor.seconds() - self._began) * self._rate))
        while self._done < due:
            self._counts[self._event()] += 1
            self._done += 1
            if self._done % self._part == 0:
                elements = sum(1 for guest in self._present if guest.element)
                print("done", self._done, elements, len(self._present) - elements, flush=True)
        if self._done < self._events:
            reactor.callLater(BEAT, self._beat)
        else:
            print(json.dumps(dict(sorted(self._counts.items()))), flush=True)
            reactor.callLater(1.0, reactor.stop)

    def _event(self) -> str:
        random = self._random
        if self._free and (len(self._present) < PORTS // 4 or random.random() < 0.35):
            guest = self._free.pop()
            self._present[guest] = None
            pool = b"pool %d" % random.randrange(POOLS)
            self._next += 1
            element = self._next if random.random() < 0.5 else 0
            guest.come(element, pool, self._to)
            return "elements came" if element else "users came"
        guest = random.choice(list(self._present))
        what = random.random()
        if not guest.up or what < 0.4:
            guest.again()
            return "elements registered again" if guest.element else "users asked again"
        if what < 0.75:
            guest.leave()
            return "elements left" if guest.element else "users left"
        guest.die()
        return "elements died" if guest.element else "users died"


def main() -> None:
    """Run until so many events have happened."""
    parser = argparse.ArgumentParser(description="Elements and users that come and go.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--rate", type=float, default=300.0, help="events a second")
    parser.add_argument("--events", type=int, default=36_000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stack = open_stack(reactor, profile=DEFAULT, hosts=("127.0.0.1",))
    churn = Churn(options.registrar, options.rate, options.events, options.parts, options.seed)
    reactor.callWhenRunning(churn.start, stack)
    # Whatever happens, it ends.
    reactor.callLater(3 * options.events / options.rate + 60, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
