"""Holds elements in a registry: many of one owner, or each by an owner of its own, with its own lease or session.

A process of its own, started by the benchmarks: C{python -m bench.peers.holding --help}. It prints C{held SECONDS} when
all are there, and keeps them alive until it is ended.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.peers import common
from bench.peers.common import Element


def elements(options: Any) -> list[Element]:
    """Those that are to be held."""
    return [(number, (options.host, 8080)) for number in range(options.first, options.first + options.elements)]


def said(began: float) -> None:
    """All are there."""
    print(f"held {time.perf_counter() - began:.3f}", flush=True)


def with_kazoo(options: Any) -> None:
    """Sessions of ZooKeeper."""
    from bench.peers.zookeeper_client import Kazoo

    began = time.perf_counter()

    def open_one(number: int) -> Kazoo:
        client = Kazoo(common.places(options.at, number), options.ttl)
        client.open()
        return client

    if not options.each:
        open_one(0).fill(elements(options))
    else:

        def keep(one: Element) -> None:
            open_one(one[0]).keep(one)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(keep, elements(options)))
    said(began)
    threading.Event().wait()


async def with_aetcd(options: Any) -> None:
    """Leases of etcd."""
    from bench.peers.etcd_clients import Aetcd

    began = time.perf_counter()
    if not options.each:
        client = Aetcd(common.places(options.at), options.ttl, options.tuned)
        await client.open()
        await client.fill(elements(options))
    keeping = []
    for one in elements(options) if options.each else ():
        client = Aetcd(common.places(options.at, one[0]), options.ttl, options.tuned)
        await client.open()
        keeping.append(asyncio.ensure_future(client.keep(one)))
    while options.each and len(await client.resolve()) < options.elements:
        await asyncio.sleep(0.05)
    said(began)
    await asyncio.Event().wait()


async def with_ours(reactor: Any, options: Any) -> None:
    """Elements of this package. Many of one owner are C{bench.filling}'s affair."""
    from twisted.internet.defer import Deferred

    from bench.peers.our_client import Rserpool, stack_of

    began = time.perf_counter()
    stack = stack_of(reactor, options, options.host)
    for one in elements(options):
        first = one[0] % len(options.at)
        client = Rserpool(reactor, options.at[first:] + options.at[:first], options, stack)
        client.element.startService()
        await client.register(one)
    said(began)
    await Deferred()


def main() -> None:
    """Hold."""
    parser = common.parser("Holds elements.")
    parser.add_argument("--elements", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--each", action="store_true", help="each has an owner of its own")
    parser.add_argument("--host", default="127.0.0.1", help="where this process is")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.client == "kazoo":
        with_kazoo(options)
    elif options.client == "aetcd":
        asyncio.run(with_aetcd(options))
    else:
        from twisted.internet.defer import Deferred
        from twisted.internet.task import react

        react(lambda reactor: Deferred.fromCoroutine(with_ours(reactor, options)))


if __name__ == "__main__":
    main()
