"""A load generator of kernel SCTP sockets alone: the same for every implementation of a registrar that it asks.

A process of its own, started by C{bench.reference}: C{python -m bench.reference_load --help}. It registers a pool over
one association, whose keep-alives it answers, and then so many clients send one request after the other, each when the
last is answered. It prints C{begin}, C{end} and one line of JSON; between the first two it measures.
"""

from __future__ import annotations

import argparse
import gc
import json
import select
import socket
import struct
import sys
from collections.abc import Iterator
from time import monotonic, perf_counter, sleep

from bench.report import percentile
from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport
from rserpool.core.wire import asap

IPPROTO_SCTP = 132
SCTP_SNDINFO = 2
SNDINFO = struct.pack("=HHIIi", 0, 0, socket.htonl(11), 0, 0)
ASAP = [(IPPROTO_SCTP, SCTP_SNDINFO, SNDINFO)]
POOL = b"bench"
WORK = ("resolve", "register")
LIFE = 3_600_000
"""Registration life: an hour, whether it is read as milliseconds or as seconds (then it is longer)."""
ITEMS = 3
"""Elements that a resolution asks for: rsplib's own default, where we list all."""
PATIENCE = 20.0
"""Seconds until the registrar must listen, and be ready."""
WINDOW = 100
"""So many registrations of the pool are under way at once."""


class Client:
    """One association to the registrar, from an SCTP port of its own."""

    def __init__(self, here: str, registrar: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
        self._socket.bind((here, 0))
        # A registrar that has just been started listens soon, and answers when it is ready.
        until = monotonic() + PATIENCE
        while self._socket.connect_ex(registrar):
            if monotonic() > until:
                sys.exit(f"nobody listens at {registrar}")
            sleep(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._here = here

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Send one ASAP message."""
        self._socket.sendmsg([message], ASAP)

    def message(self) -> bytes:
        """The next message.

        @raise SystemExit: if there will be none.
        """
        message = self._socket.recv(65536)
        if not message:
            sys.exit("the registrar closed an association")
        return message

    def receive(self) -> bytes:
        """The next message that is no keep-alive; those are answered."""
        while True:
            message = self.message()
            if message[0] != asap.EndpointKeepAlive.TYPE:
                return message
            self.keep_alive(message)

    def keep_alive(self, message: bytes) -> None:
        """Acknowledge a keep-alive."""
        asked = asap.decode(message).message
        assert isinstance(asked, asap.EndpointKeepAlive) and asked.identifier is not None
        self.send(asap.encode(asap.EndpointKeepAliveAck(asked.handle, asked.identifier)))

    def registration(self, identifier: int) -> bytes:
        """A registration of an element at this association's own address, as every implementation demands it."""
        transport = SctpTransport(self.port, 0, (self._here,))
        return asap.encode(
            asap.Registration(POOL, PoolElementParameter(identifier, 0, LIFE, transport, PolicyParameter(1)))
        )


def fill(client: Client, elements: int) -> None:
    """Register so many elements, as soon as the registrar is ready.

    @raise SystemExit: if one is refused.
    """
    until = monotonic() + PATIENCE
    client.send(client.registration(1))
    while not accepted(client.receive(), ready=monotonic() > until):
        sleep(0.1)
        client.send(client.registration(1))
    sent = answered = 1
    while answered < elements:
        while sent < elements and sent - answered < WINDOW:
            sent += 1
            client.send(client.registration(sent))
        accepted(client.receive())
        answered += 1


def accepted(message: bytes, ready: bool = True) -> bool:
    """Whether a registration was accepted.

    @param ready: whether the registrar should be ready by now; then a refusal is the end.
    @raise SystemExit: if it was refused, or if it is another answer.
    """
    answer = asap.decode(message).message
    if not isinstance(answer, asap.RegistrationResponse) or (answer.rejected and ready):
        sys.exit(f"the registrar answered {answer!r}")
    return not answer.rejected


def requests(work: str, client: Client, lane: int) -> Iterator[tuple[bytes, bool]]:
    """What one client sends, endlessly, and whether it counts; a new registration is followed by its end."""
    if work == "resolve":
        request = asap.encode(asap.HandleResolution(POOL, items=ITEMS))
        while True:
            yield request, True
    first = (lane + 1) << 20
    pairs = [
        (client.registration(identifier), asap.encode(asap.Deregistration(POOL, identifier)))
        for identifier in range(first, first + 500)
    ]
    while True:
        for one, other in pairs:
            yield one, True
            yield other, False


def run(options: argparse.Namespace) -> None:
    """Fill, warm up, measure, report."""
    host, _, port = options.to.rpartition(":")
    registrar = (host, int(port))
    filler = Client(host, registrar)
    fill(filler, options.elements)
    clients = [Client(host, registrar) for _ in range(options.clients)]
    waiting = select.epoll()
    waiting.register(filler, select.EPOLLIN)
    lanes = {}
    for number, client in enumerate(clients):
        waiting.register(client, select.EPOLLIN)
        lanes[client.fileno()] = [client, requests(options.work, client, number), 0.0, True]
    checked = asap.RegistrationResponse.TYPE
    gc.collect()
    gc.freeze()
    gc.disable()
    for lane in lanes.values():
        _next(lane)
    latencies: list[float] = []
    start = perf_counter() + options.warm
    stop = start + options.seconds
    began = 0.0
    kept_alive = 0
    while (now := perf_counter()) < stop:
        if not began and now >= start:
            print("begin", flush=True)
            began = perf_counter()
        for descriptor, _ in waiting.poll(0.5):
            lane = lanes.get(descriptor)
            if lane is None:
                filler.keep_alive(filler.message())
                kept_alive += 1
                continue
            client, _, sent, counts = lane
            message = client.message()
            if message[0] == asap.EndpointKeepAlive.TYPE:
                client.keep_alive(message)
                kept_alive += 1
                continue
            if message[0] == checked and message[1] & 1:
                sys.exit(f"refused: {asap.decode(message).message!r}")
            if began and counts:
                latencies.append(perf_counter() - sent)
            _next(lane)
    seconds = perf_counter() - began
    print("end", flush=True)
    ordered = sorted(latencies)
    figures = {
        "answers": len(ordered),
        "per_second": len(ordered) / seconds,
        "p50_ms": 1000 * percentile(ordered, 0.5),
        "p99_ms": 1000 * percentile(ordered, 0.99),
        "kept_alive": kept_alive,
    }
    print(json.dumps(figures), flush=True)


def _next(lane: list) -> None:  # type: ignore[type-arg]
    request, counts = next(lane[1])
    lane[2], lane[3] = perf_counter(), counts
    lane[0].send(request)


def main() -> None:
    """Run the load that the options ask for."""
    parser = argparse.ArgumentParser(description="Clients of a registrar over the kernel's SCTP.")
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the registrar's ASAP address")
    parser.add_argument("--work", choices=WORK, default="resolve")
    parser.add_argument("--elements", type=int, default=10, help="size of the pool")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--warm", type=float, default=0.5, help="seconds before it is measured")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds that are measured")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
