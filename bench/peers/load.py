"""Clients in one process, each with its library, that resolve or register one after the other without end.

A process of its own, started by the benchmarks: C{python -m bench.peers.load --help}. It prints C{begin}, C{end} and
one line of JSON; between the first two it measures. A registration is followed by its end, which is not counted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.peers import common
from bench.peers.common import Element
from bench.report import pace

WARM = 0.7
ELSEWHERE = 8080


class Clock:
    """When it is measured.

    @ivar running: whether clients go on.
    """

    def __init__(self, seconds: float) -> None:
        self.running = True
        self.failed: list[str] = []
        self._seconds = seconds
        self._measuring = False
        self._latencies: list[float] = []

    def took(self, seconds: float) -> None:
        """A client has its answer."""
        if self._measuring:
            self._latencies.append(seconds)

    def begin(self) -> None:
        """From now on it counts."""
        print("begin", flush=True)
        self._began, self._cpu = time.perf_counter(), time.process_time()
        self._measuring = True

    def end(self) -> None:
        """No longer."""
        self._measuring = self.running = False
        seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
        print("end", flush=True)
        figures = {
            **pace(self._latencies, seconds),
            "client_us": 1e6 * cpu / max(len(self._latencies), 1),
            "failed": len(self.failed),
            "why": self.failed[:3],
        }
        print(json.dumps(figures), flush=True)


def element(lane: int, number: int, host: str) -> Element:
    """An element that only this client registers."""
    return (lane + 1) * 1_000_000 + number % 1000, (host, ELSEWHERE)


async def lane(clock: Clock, client: Any, number: int, options: Any) -> None:
    """One client that awaits."""
    turn = 0
    while clock.running:
        turn += 1
        began = time.perf_counter()
        try:
            if options.work == "resolve":
                await client.resolve()
            else:
                await client.register(one := element(number, turn, options.host))
            clock.took(time.perf_counter() - began)
            if options.work != "resolve":
                await client.deregister(one[0])
        except Exception as error:  # noqa: BLE001
            clock.failed.append(repr(error))
            await asyncio.sleep(0) if options.client == "aetcd" else None
            if len(clock.failed) > 100:
                return


def threaded(clock: Clock, client: Any, number: int, options: Any) -> None:
    """One client with a thread."""
    turn = 0
    while clock.running and len(clock.failed) <= 100:
        turn += 1
        began = time.perf_counter()
        try:
            if options.work == "resolve":
                client.resolve()
            else:
                client.register(one := element(number, turn, options.host))
            clock.took(time.perf_counter() - began)
            if options.work != "resolve":
                client.deregister(one[0])
        except Exception as error:  # noqa: BLE001
            clock.failed.append(repr(error))


def with_threads(kind: Callable[..., Any], options: Any) -> None:
    """kazoo, etcd3gw."""
    clients = [kind(common.places(options.at, one), options.ttl, options.tuned) for one in range(options.clients)]
    for each in clients:
        each.open()
        each.resolve()
    clock = Clock(options.seconds)
    for number, each in enumerate(clients):
        threading.Thread(target=threaded, args=(clock, each, number, options), daemon=True).start()
    time.sleep(WARM)
    clock.begin()
    time.sleep(options.seconds)
    clock.end()


async def with_aetcd(options: Any) -> None:
    """aetcd."""
    from bench.peers.etcd_clients import Aetcd

    clients = [Aetcd(common.places(options.at, one), options.ttl, options.tuned) for one in range(options.clients)]
    for each in clients:
        await each.open()
        await each.resolve()
    await _measured(options, clients, asyncio.sleep, asyncio.ensure_future)


async def with_ours(reactor: Any, options: Any) -> None:
    """This package."""
    from twisted.internet.defer import Deferred
    from twisted.internet.task import deferLater

    from bench.peers.our_client import Rserpool, stack_of

    stack = stack_of(reactor, options, options.host)
    at = options.at
    clients = [
        Rserpool(reactor, at[one % len(at) :] + at[: one % len(at)], options, stack) for one in range(options.clients)
    ]
    for each in clients:
        each.open()
        await each.resolve()
    await _measured(options, clients, lambda s: deferLater(reactor, s), Deferred.fromCoroutine)


async def _measured(
    options: Any, clients: list[Any], sleep: Callable[[float], Awaitable[Any]], start: Callable[[Any], Any]
) -> None:
    clock = Clock(options.seconds)
    gc.collect()
    for number, each in enumerate(clients):
        start(lane(clock, each, number, options))
    await sleep(WARM)
    clock.begin()
    await sleep(options.seconds)
    clock.end()


def main() -> None:
    """Run the load that the options ask for; then it ends without a word to anybody."""
    parser = common.parser("Clients that resolve or register without end.")
    parser.add_argument("--work", choices=("resolve", "register"), default="resolve")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--host", default="127.0.0.1", help="where this process is")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.client == "rserpool":
        from twisted.internet.defer import Deferred
        from twisted.internet.task import react

        def ours(reactor: Any) -> Any:
            return Deferred.fromCoroutine(with_ours(reactor, options)).addCallback(lambda _: os._exit(0))

        react(ours)
    elif options.client == "aetcd":
        asyncio.run(with_aetcd(options))
    else:
        from bench.peers.etcd_clients import Gateway
        from bench.peers.zookeeper_client import Kazoo

        with_threads(Kazoo if options.client == "kazoo" else Gateway, options)
    os._exit(0)


if __name__ == "__main__":
    main()
