"""Many light clients in one process: each sends prebuilt requests, a few at a time, and the next for each answer.

A process of its own, started by the benchmarks: C{python -m bench.load --help}. It prints C{begin}, C{end} and one line
of JSON; between the first two it measures.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from array import array
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionClosed
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from bench.report import pace
from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport, TransportAddress, parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

POOL = b"bench"
TOGETHER = 16
"""So many clients connect at once: a UDP socket does not hold the packets of thousands."""
WORK = ("resolve", "reregister", "register")
reactor: Any = installed


def registration(identifier: int, pool: bytes = POOL, life: int = 60) -> bytes:
    """A registration in the pool, as an element on this host sends it."""
    element = PoolElementParameter(identifier, 0, life, TcpTransport(8080, "127.0.0.1"), PolicyParameter(1))
    return asap.encode(asap.Registration(pool, element))


def acknowledge(association: ISctpAssociation, data: bytes) -> None:
    """Answer a keep-alive, as an element does."""
    asked = asap.decode(data).message
    assert isinstance(asked, asap.EndpointKeepAlive) and asked.identifier is not None
    association.send(asap.encode(asap.EndpointKeepAliveAck(asked.handle, asked.identifier)), PPID_ASAP)


def requests(work: str, lane: int) -> Iterator[bytes]:
    """What one client sends, endlessly. New registrations alternate with the deregistration of the same element."""
    if work == "resolve":
        request = asap.encode(asap.HandleResolution(POOL))
        while True:
            yield request
    elif work == "reregister":
        request = registration(1000 + lane)
        while True:
            yield request
    else:
        pairs = [
            (registration(identifier), asap.encode(asap.Deregistration(POOL, identifier)))
            for identifier in range(lane << 16, (lane << 16) + 1000)
        ]
        while True:
            for one, other in pairs:
                yield one
                yield other


class Lane:
    """One client: a way to send, and the time of each request that has no answer yet.

    With more than one request at a time the answers come in the order of the requests.
    """

    def __init__(self, load: Load, number: int, send: Callable[[bytes], Any]) -> None:
        self._load = load
        self._send = send
        self._requests = requests(load.work, number)
        self._sent: list[float] = []

    def start(self, depth: int) -> None:
        """Send the first requests."""
        for _ in range(depth):
            self._next()

    def answered(self, kind: int) -> None:
        """An answer of this message type came."""
        now = perf_counter()
        load = self._load
        if load.measuring and kind == load.counted:
            load.latencies.append(now - self._sent[0])
        del self._sent[0]
        if load.running:
            self._next()

    def _next(self) -> None:
        self._sent.append(perf_counter())
        self._send(next(self._requests))


class Load:
    """The clients together.

    @ivar counted: the message type of the answers whose latencies are kept.
    """

    def __init__(self, work: str, depth: int, warm: float, seconds: float) -> None:
        self.work = work
        self.counted = asap.HandleResolutionResponse.TYPE if work == "resolve" else asap.RegistrationResponse.TYPE
        self.latencies = array("d")
        self.running = True
        self.measuring = False
        self._depth = depth
        self._warm = warm
        self._seconds = seconds
        self._began = 0.0

    def start(self, lanes: list[Lane]) -> None:
        """All are connected: begin."""
        gc.collect()
        gc.freeze()
        for lane in lanes:
            lane.start(self._depth)
        reactor.callLater(self._warm, self._begin)
        reactor.callLater(self._warm + self._seconds, self._end)

    def _begin(self) -> None:
        print("begin", flush=True)
        self._began = perf_counter()
        self.measuring = True

    def _end(self) -> None:
        self.measuring = self.running = False
        seconds = perf_counter() - self._began
        print("end", flush=True)
        figures = {
            **pace(self.latencies, seconds),
            "worst_ms": 1000 * max(self.latencies, default=float("nan")),
        }
        print(json.dumps(figures), flush=True)
        reactor.callLater(0.1, reactor.stop)


class Associations(SctpHandler):
    """SCTP clients: one association each, from SCTP ports of their own; their elements answer keep-alives."""

    def __init__(self, wanted: int, up: Callable[[list[ISctpAssociation]], None]) -> None:
        self.lanes: dict[ISctpAssociation, Lane] = {}
        self._wanted = wanted
        self._present: list[ISctpAssociation] = []
        self._up = up

    def associationUp(self, association: ISctpAssociation) -> None:
        self._present.append(association)
        if len(self._present) == self._wanted:
            self._up(self._present)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        kind = data[0]
        if kind == asap.EndpointKeepAlive.TYPE:
            acknowledge(association, data)
        elif lane := self.lanes.get(association):
            lane.answered(kind)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        if reactor.running:
            sys.exit(f"an association was lost: {reason.getErrorMessage()}")


class Answers(Protocol):
    """A TCP client: answers follow each other, framed by their own length."""

    lane: Lane | None = None
    _rest = b""

    def dataReceived(self, data: bytes) -> None:
        data = self._rest + data
        place = 0
        while len(data) - place >= 4:
            end = place + (int.from_bytes(data[place + 2 : place + 4], "big") + 3 & ~3)
            if len(data) < end:
                break
            assert self.lane is not None
            self.lane.answered(data[place])
            place = end
        self._rest = data[place:]

    def connectionLost(self, reason: Failure = ConnectionClosed) -> None:  # type: ignore[assignment]
        if self.lane is not None and reactor.running:
            sys.exit(f"a connection was lost: {reason.getErrorMessage()}")


def over_sctp(stack: Any, to: TransportAddress, clients: int, load: Load) -> None:
    """Connect the clients over SCTP and begin."""

    def up(associations: list[ISctpAssociation]) -> None:
        for number, association in enumerate(associations):
            handler.lanes[association] = Lane(load, number, lambda data, one=association: one.send(data, PPID_ASAP))  # type: ignore[misc]
        load.start(list(handler.lanes.values()))

    def connect(number: int) -> None:
        for _ in range(min(TOGETHER, clients - number)):
            stack.open(0, handler, ("127.0.0.1",), False).connect(to)
        if number + TOGETHER < clients:
            reactor.callLater(0.02, connect, number + TOGETHER)

    handler = Associations(clients, up)
    connect(0)


async def over_tcp(port: int, clients: int, load: Load) -> None:
    """Connect the clients over TCP and begin."""
    lanes = []
    for number in range(clients):
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        protocol: Any = await endpoint.connect(Factory.forProtocol(Answers))
        protocol.transport.setTcpNoDelay(True)
        protocol.lane = Lane(load, number, protocol.transport.write)
        lanes.append(protocol.lane)
    load.start(lanes)


def fill(stack: Any, to: TransportAddress, elements: int, then: Callable[[], None]) -> None:
    """Register so many elements over one association."""

    def up(associations: list[ISctpAssociation]) -> None:
        for identifier in range(1, elements + 1):
            associations[0].send(registration(identifier), PPID_ASAP)
        reactor.callLater(0.5, then)

    stack.open(0, Associations(1, up), ("127.0.0.1",), False).connect(to)


def main() -> None:
    """Run the load that the options ask for."""
    parser = argparse.ArgumentParser(description="Clients of a registrar that send one request after the other.")
    parser.add_argument("--registrar", type=parse_transport_address, help="where to register the pool's elements")
    parser.add_argument("--tcp", type=int, help="TCP port to send the requests to, instead of SCTP to the registrar")
    parser.add_argument("--work", choices=WORK, default="resolve")
    parser.add_argument("--elements", type=int, default=10, help="size of the pool")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--depth", type=int, default=1, help="requests that a client has under way at a time")
    parser.add_argument("--warm", type=float, default=1.0, help="seconds before it is measured")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds that are measured")
    options = parser.parse_args()
    load = Load(options.work, options.depth, options.warm, options.seconds)

    def begin() -> None:
        if options.tcp is None:
            over_sctp(stack, options.registrar, options.clients, load)
        else:
            from twisted.internet.defer import Deferred

            Deferred.fromCoroutine(over_tcp(options.tcp, options.clients, load)).addErrback(failed)

    def failed(failure: Failure) -> None:
        failure.printTraceback()
        reactor.stop()

    if options.registrar is None:
        reactor.callWhenRunning(begin)
    else:
        stack = open_stack(reactor, profile=DEFAULT, hosts=("127.0.0.1",))
        reactor.callWhenRunning(fill, stack, options.registrar, options.elements, begin)
    # Whatever happens, it ends.
    reactor.callLater(options.warm + options.seconds + 30, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
