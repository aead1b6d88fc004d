"""Many elements under many registrars, in the simulation: how many messages of each kind, and how long things take.

A process of its own, started by the benchmarks: C{python -m bench.growth.simulated --help}. The registrars are the real
ones, on a network in memory and a clock of their own; the elements are light, each with an association of its own. It
prints one line of JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from twisted.logger import LogBeginner, globalLogBeginner
from twisted.python.failure import Failure

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.testing import Scope, Timeline

POOL = 100
"""Elements in a pool."""
HOST = 50
"""Elements on a host."""
STEADY = 60_000
"""So many messages of registrations are counted in calm, or those of one T4."""
PATIENCE = 900.0
"""Seconds of the clock."""


class Counts(list[Any]):
    """In the place of a trace: how many messages of each kind arrived at registrars, and their bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def append(self, entry: Any) -> None:
        """A message or an event."""
        if entry.target and entry.ppid in (PPID_ASAP, PPID_ENRP):
            kind = f"{'ASAP' if entry.ppid == PPID_ASAP else 'ENRP'} {entry.what[0]}"
            self.messages[kind] += 1
            self.bytes[kind] += len(entry.what)

    def taken(self) -> tuple[Counter[str], Counter[str]]:
        """What was counted since the last time."""
        found = self.messages, self.bytes
        self.messages, self.bytes = Counter(), Counter()
        return found


class Crowd(SctpHandler):
    """The elements of one registrar, on hosts of L{HOST} each.

    @ivar told: when the last element was told that it has another home.
    """

    def __init__(self, scope: Scope, number: int, elements: range, home: Any) -> None:
        self.told = 0.0
        self.moved = 0
        self.registered = 0
        self._scope = scope
        self._net = f"10.{number + 1}"
        self._stacks: dict[str, Any] = {}
        self._elements = elements
        self._home = home
        self._numbers: dict[tuple[str, int], int] = {}
        self._associations: dict[int, Any] = {}
        self._turn: Iterator[int] = iter(())

    def connect(self, number: int) -> None:
        """One element comes."""
        host = self._host(number)
        stack = self._stacks.get(host)
        if stack is None:
            stack = self._stacks[host] = self._scope.network.stack(host)
        endpoint = stack.open(0, self, (host,))
        self._numbers[host, endpoint.port] = number
        endpoint.connect(self._home)

    def come(self, seconds: float) -> None:
        """All elements come, within so many seconds, and register again each T4 from then on."""
        for place, number in enumerate(self._elements):
            self._scope.clock.callLater(place * seconds / len(self._elements), self.connect, number)

    def again(self) -> None:
        """Register again, one after the other, each once in T4."""
        pause = DEFAULT.t4_reregistration / len(self._elements)
        number = next(self._turn, None)
        if number is None:
            self._turn = iter(self._elements)
            number = next(self._turn)
        self._register(self._associations[number], number)
        self._scope.clock.callLater(pause, self.again)

    def associationUp(self, association: ISctpAssociation) -> None:
        if association.outbound:
            endpoint: Any = association.endpoint
            number = self._numbers[endpoint.hosts[0], endpoint.port]
            self._associations[number] = association
            self._register(association, number)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data[0] == asap.RegistrationResponse.TYPE:
            self.registered += 1
        elif data[0] == asap.EndpointKeepAlive.TYPE:
            asked: Any = asap.decode(data).message
            association.send(asap.encode(asap.EndpointKeepAliveAck(asked.handle, asked.identifier)), PPID_ASAP)
            if asked.home and not association.outbound and self._associations[asked.identifier] is not association:
                self._associations[asked.identifier] = association
                self.moved += 1
                self.told = self._scope.now

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        """The next home will come by itself."""

    def _host(self, number: int) -> str:
        place = (number - self._elements[0]) // HOST
        return f"{self._net}.{place // 250}.{place % 250 + 1}"

    def _register(self, association: Any, number: int) -> None:
        if association.established:
            element = PoolElementParameter(number, 0, 60, TcpTransport(8080, self._host(number)), PolicyParameter(1))
            association.send(asap.encode(asap.Registration(b"pool-%d" % (number // POOL), element)), PPID_ASAP)


def simulate(elements: int, registrars: int) -> dict[str, Any]:
    """Fill, count in calm, kill a registrar, have one join."""
    scope = Scope(registrars, profile=DEFAULT, clock=Timeline())
    counts = scope.trace.entries = Counts()
    scope.until(lambda: all(each.ready and len(each.peers) == registrars - 1 for each in scope.registrars), PATIENCE)
    each = elements // registrars
    crowds = [
        Crowd(scope, number, range(number * each + 1, (number + 1) * each + 1), registrar.address)
        for number, registrar in enumerate(scope.registrars)
    ]
    found: dict[str, Any] = {"elements": each * registrars, "registrars": registrars}
    for crowd in crowds:
        crowd.come(max(2.0, each / 1000))
    found["filled_s"] = scope.until(lambda: all(crowd.registered == each for crowd in crowds), PATIENCE)
    for crowd in crowds:
        crowd.again()
    scope.advance(3.0)
    counts.taken()
    seconds = min(1.0, STEADY / elements / registrars) * DEFAULT.t4_reregistration
    scope.advance(seconds)
    messages, sizes = counts.taken()
    found["steady"] = {kind: count / seconds for kind, count in messages.items()}
    found["steady_bytes"] = {kind: count / seconds for kind, count in sizes.items()}
    progress(
        f"{elements} elements, {registrars} registrars: {sum(messages.values()) / seconds:,.0f} messages/s in calm"
    )
    began = scope.now
    scope.registrars[0].kill()
    found["told_s"] = scope.until(lambda: crowds[0].moved >= each, PATIENCE)
    messages, _ = counts.taken()
    found["takeover"] = dict(messages)
    progress(f"a registrar is killed: its {each} elements were told after {scope.now - began:.2f} s")
    scope.advance(2.0)
    counts.taken()
    joiner = scope.registrars[0]
    joiner.start()
    scope.until(lambda: joiner.ready and _known(joiner) >= each * registrars, PATIENCE)
    messages, sizes = counts.taken()
    found["table"] = {"messages": messages["ENRP 3"], "bytes": sizes["ENRP 3"]}
    return found


def _known(registrar: Any) -> int:
    return sum(len(pool.elements) for pool in registrar.role.handlespace.pools.values())


def progress(text: str) -> None:
    """One line on stderr."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Simulate."""
    parser = argparse.ArgumentParser(description="Many elements under many registrars, in memory.")
    parser.add_argument("--elements", type=int, default=1000)
    parser.add_argument("--registrars", type=int, default=3)
    options = parser.parse_args()
    if isinstance(globalLogBeginner, LogBeginner):
        globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
    gc.freeze()
    gc.disable()
    print(json.dumps(simulate(options.elements, options.registrars)), flush=True)


if __name__ == "__main__":
    main()
