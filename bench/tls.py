"""What TLS adds: to a resolution, to a keep-alive, to connecting, to a restart; beside what OpenSSL itself needs.

C{python -m bench.tls [--json [FILE]] [--quick]}. Resolutions and keep-alives run in memory, both ends in this process,
in the clear and over TLS in turn, and in the clear with OpenSSL alone beside it: that seals and opens the same messages
at the same places, and does nothing with them. A ratio is what TLS adds, divided by what that adds. Associations are
set up to registrars that are processes of their own, over usrsctp; so it is with the elements that come at once
(C{bench.herds}, which measures those alone).
"""

from __future__ import annotations

import argparse
import socket
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from twisted.internet.defer import Deferred

from bench.herds import late, returning, secures
from bench.pairs import interval
from bench.processes import Processes, free_port
from bench.report import Figures, columns, progress, run
from bench.secured import element_key, over_tls
from rserpool.core import TransportAddress
from rserpool.core.wire import asap
from rserpool.sctp import open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler
from rserpool.security.engine import TlsSide
from rserpool.security.way import Terms
from rserpool.testing import Scope

POOL = "bench"
ELEMENTS = 10
GOALS = {"a resolution": 2.5, "a keep-alive": 2.5, "connecting": 4.0, "1,000 elements at once": 3.0}


class Bare:
    """OpenSSL alone: two ends of a connection, and nothing around them; it is called where TLS would call it."""

    def __init__(self) -> None:
        key = element_key(0)
        server = TlsSide(Terms(True, find={key.name: key.secret}.get)).connection()  # type: ignore[arg-type]
        client = TlsSide(Terms(False, own=key)).connection()
        data = client.start()
        while not (client.established and server.established):
            data = server.handshake(data)
            data = client.open(data) if client.established else client.handshake(data)
        ends: list[Any] = [client, server]
        (self._seal, self._open), (self._seal_back, self._open_back) = (
            (end._wire.seal, end._wire.open) for end in ends
        )
        self._there = self._back = b""

    def sends(self, request: bytes) -> None:
        """At the client."""
        self._there = self._seal(request)

    def answers(self, answer: bytes) -> None:
        """At the server: what came is opened, and an answer sealed."""
        self._open_back(self._there)
        self._back = self._seal_back(answer)

    def hears(self) -> None:
        """At the client."""
        self._open(self._back)


class Asking(SctpHandler):
    """A user that asks again as soon as it is answered."""

    def __init__(self) -> None:
        self.association: Any = None
        self.left = 0
        self.answer = b""
        self.request = asap.encode(asap.HandleResolution(POOL.encode()))
        self.bare: Bare | None = None

    def associationUp(self, association: Any) -> None:
        self.association = association

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.answer = data
        self.left -= 1
        if self.bare is not None:
            self.bare.hears()
        if self.left > 0:
            self.ask()

    def ask(self) -> None:
        """Send a request."""
        if self.bare is not None:
            self.bare.sends(self.request)
        self.association.send(self.request, PPID_ASAP)


class World:
    """A registrar with some elements, and a user, in memory.

    @param secure: whether they speak TLS.
    @param beside: whether OpenSSL seals and opens the same in the clear, beside it all.
    """

    def __init__(self, secure: bool = False, beside: bool = False) -> None:
        self.scope = Scope(1, secure=secure)
        for number in range(ELEMENTS):
            self.scope.element(POOL, identifier=number + 1)
        self.scope.settle()
        self.registrar = self.scope.registrars[0]
        self.user = Asking()
        stack: Any = self.scope.network.stack("10.0.9.1")
        port = 3863
        if secure:
            self.scope.security.of("bench", "e")
            own = self.scope.security.secured["bench"].current.own
            assert own is not None
            stack, port = over_tls(self.scope.clock, stack, own), 3864
        address = self.scope.addresses[0]
        stack.open(0, self.user, ("10.0.9.1",), False).connect(type(address)(address.hosts, port))
        self.scope.until(lambda: self.user.association is not None)
        self.kept_alive = 0
        self._bare: Bare | None = None
        self._watch()
        self.resolutions(10)
        if beside:
            self.user.bare, self._bare = Bare(), Bare()

    def resolutions(self, count: int) -> float:
        """Processor time of one resolution at both ends, in us."""
        user = self.user
        user.left = count
        began = process_time()
        user.ask()
        self.scope.until(lambda: user.left <= 0, 1000.0)
        return 1e6 * (process_time() - began) / count

    def keep_alives(self, seconds: float) -> float:
        """Processor time of one keep-alive and its answer, at both ends, in us."""
        before = self.kept_alive
        began = process_time()
        self.scope.advance(seconds)
        return 1e6 * (process_time() - began) / (self.kept_alive - before)

    def _watch(self) -> None:
        channel: Any = self.registrar.service.node.asap
        received, user = channel.received, self.user
        asked = asap.encode(asap.EndpointKeepAlive(1, POOL.encode(), identifier=1))

        def watch(carrier: Any, data: bytes) -> None:
            alive = data[0] == asap.EndpointKeepAliveAck.TYPE
            self.kept_alive += alive
            if user.bare is not None and data[0] == asap.HandleResolution.TYPE:
                user.bare.answers(user.answer)
            if self._bare is not None and alive:
                self._bare.sends(asked)
                self._bare.answers(data)
                self._bare.hears()
            received(carrier, data)

        channel.received = watch


class Connecting(SctpHandler):
    """Opens associations one after the other to a registrar.

    @ivar spent: the time of each, in us, from C{connect} until it is up.
    """

    def __init__(self, reactor: Any, stack: Any, there: TransportAddress) -> None:
        self.spent: list[float] = []
        self._began = 0.0
        self._over: Any = None
        self._left = 0
        self._client = stack.open(0, self, ("127.0.0.1",), False)
        self._reactor = reactor
        self._there = there

    def some(self, count: int) -> Deferred[None]:
        """So many more."""
        self._left, self._over = count, Deferred()
        self._next()
        return self._over  # type: ignore[no-any-return]

    def _next(self) -> None:
        if not self._left:
            self._over.callback(None)
            return
        self._left -= 1
        self._began = perf_counter()
        self._client.connect(self._there)

    def associationUp(self, association: Any) -> None:
        self.spent.append(1e6 * (perf_counter() - self._began))
        self._reactor.callLater(0, association.close)

    def associationLost(self, association: Any, reason: Any) -> None:
        self._reactor.callLater(0.002, self._next)


def exchanges(options: argparse.Namespace) -> Figures:
    """Resolutions and keep-alives: in the clear, with OpenSSL beside, and over TLS."""
    turns, count = (5, 200) if options.quick else (options.pairs, 500)
    worlds = {"clear": World(), "bare": World(beside=True), "tls": World(secure=True)}
    found: Figures = {what: {name: [] for name in worlds} for what in ("a resolution", "a keep-alive")}
    for turn in range(turns):
        order = list(worlds)
        for name in order[turn % 3 :] + order[: turn % 3]:
            found["a resolution"][name].append(worlds[name].resolutions(count))
            found["a keep-alive"][name].append(worlds[name].keep_alives(20.0))
        for what, costs in found.items():
            progress(f"turn {turn + 1}/{turns}: {what}: {', '.join(f'{n} {c[-1]:.1f} us' for n, c in costs.items())}")
    return {
        what: {
            "clear_us": median(costs["clear"]),
            "tls_us": median(costs["tls"]),
            "bare_us": median(bare - clear for bare, clear in zip(costs["bare"], costs["clear"], strict=True)),
            "ratios": [
                (tls - clear) / (bare - clear) for clear, bare, tls in zip(*costs.values(), strict=True) if bare > clear
            ],
        }
        for what, costs in found.items()
    }


def connecting(options: argparse.Namespace) -> Figures:
    """Setting up associations to registrars over usrsctp."""
    from twisted.internet import reactor

    rounds, count = (3, 10) if options.quick else (30, 20)
    blocks: list[tuple[float, float]] = []

    async def measure(sides: list[Connecting], stack: Any) -> None:
        for turn in range(rounds):
            for side in sides if turn % 2 else sides[::-1]:
                side.spent.clear()
                await side.some(count)
            clear, secured = (median(side.spent) for side in sides)
            blocks.append((clear, secured))
        await stack.close()
        reactor.stop()  # type: ignore[attr-defined]

    with tempfile.TemporaryDirectory() as folder, Processes() as processes:
        places = []
        for secured in (False, True):
            udp = free_port(socket.SOCK_DGRAM)
            processes.registrar(udp, "--asap-tcp", "none", *secures(secured, Path(folder), 1))
            places.append(TransportAddress(("127.0.0.1",), 3864 if secured else 3863, udp))
        stack = open_stack(reactor, backend="usrsctp", encapsulation=0)
        stacks = (stack, over_tls(reactor, stack, element_key(0)))
        sides = [Connecting(reactor, one, place) for one, place in zip(stacks, places, strict=True)]
        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(measure(sides, stack)))  # type: ignore[attr-defined]
        reactor.run()  # type: ignore[attr-defined]
    return {
        "clear_us": median(clear for clear, _ in blocks),
        "tls_us": median(tls for _, tls in blocks),
        "ratios": [tls / clear for clear, tls in blocks],
    }


def measure(options: argparse.Namespace) -> Figures:
    """All of it."""
    return {
        **exchanges(options),
        "connecting": connecting(options),
        "1,000 elements at once": returning(options.quick, 3),
    }


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = []
    for name, goal in GOALS.items():
        one = figures[name]
        unit = "s" if "clear_s" in one else "us"
        low, high = interval(one["ratios"])
        rows.append(
            [
                name,
                f"{one[f'clear_{unit}']:.2f} {unit}",
                f"{one[f'tls_{unit}']:.2f} {unit}",
                f"{one['bare_us']:.2f} us" if "bare_us" in one else "",
                f"{median(one['ratios']):.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{goal:g}",
            ]
        )
    head = ["", "in the clear", "over TLS", "OpenSSL alone", "ratio", "95 %", "goal"]
    return (
        "TLS 1.3 with a key. First two rows: processor time at both ends, what TLS adds beside OpenSSL alone; last two:"
        " time that passes, and TLS beside the clear\n" + columns(head, rows) + late(figures["1,000 elements at once"])
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--pairs", type=int, default=25)


if __name__ == "__main__":
    run("tls", "What TLS adds.", measure, table, add_arguments)
