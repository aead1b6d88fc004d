"""A user of the pool that asks over and over, and prints when it was answered by whom.

A process of its own, started by the benchmarks: C{python -m bench.peers.using --help}. A line is C{SECONDS NUMBER}
for an answer, or C{listed SECONDS NUMBER,NUMBER...} when the registry tells that the pool has changed; the clock is
the monotonic one. It keeps its connection while its element is listed, or (C{--fresh}) resolves and connects for each
question.

The user of etcd and ZooKeeper is what one writes oneself: resolve, try the elements by lot, give each a second to
accept, go on at once when a connection ends, drop it when the registry no longer lists its element. Ours is
C{PoolClientEndpoint} with C{drop=True}. Neither gives up a question by a time-out of its own.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
from typing import Any

from bench.peers import common
from bench.peers.common import Elements

PAUSE = 0.002
ACCEPT = 1.0


def answered(line: bytes) -> None:
    """Say so."""
    print(f"{time.monotonic():.6f} {int(line)}", flush=True)


def listed(elements: Elements) -> None:
    """Say so."""
    print(f"listed {time.monotonic():.6f} {','.join(map(str, sorted(elements)))}", flush=True)


class ByHand:
    """The user of etcd or ZooKeeper."""

    def __init__(self, options: Any) -> None:
        self._options = options
        self._listed: Elements = {}
        self._serving: tuple[int, asyncio.StreamWriter] | None = None
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Ask for ever."""
        options = self._options
        at = common.places(options.at)
        if options.client == "kazoo":
            from bench.peers.zookeeper_client import Kazoo

            self._client: Any = Kazoo(at, options.ttl)
            self._client.open()
            if not options.fresh:
                self._client.watch(lambda elements: self._loop.call_soon_threadsafe(self._changed, elements))
        else:
            from bench.peers.etcd_clients import Aetcd

            self._client = Aetcd(at, options.ttl, options.tuned)
            await self._client.open()
            if not options.fresh:
                watching = Aetcd(at, options.ttl, options.tuned)
                await watching.open()
                self._watching = asyncio.ensure_future(watching.watch(self._changed))
        while True:
            try:
                for place in await self._elements():
                    if await self._ask(*place):
                        break
            except Exception as error:  # noqa: BLE001
                print(f"failed: {error!r}", flush=True)
                if options.client == "aetcd":
                    await self._client.next()
            await asyncio.sleep(PAUSE)

    async def _elements(self) -> list[tuple[int, common.Place]]:
        if self._options.client == "kazoo":
            found = await asyncio.to_thread(self._client.resolve)
        else:
            found = await self._client.resolve()
        self._listed = found
        some = list(found.items())
        random.shuffle(some)
        return some

    def _changed(self, elements: Elements) -> None:
        listed(elements)
        if self._serving is not None and self._serving[0] not in elements:
            self._serving[1].transport.abort()

    async def _ask(self, number: int, place: common.Place) -> bool:
        """Ask one element, once or until it fails; whether it answered."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(*place), ACCEPT)
        except (OSError, TimeoutError):
            return False
        self._serving = number, writer
        once = False
        try:
            while True:
                writer.write(b"\n")
                if not (line := await reader.readline()):
                    return once
                answered(line)
                once = True
                if self._options.fresh:
                    return True
                await asyncio.sleep(PAUSE)
        except OSError:
            return once
        finally:
            self._serving = None
            writer.transport.abort()


async def with_ours(reactor: Any, options: Any) -> None:
    """The user of this package."""
    from twisted.internet.defer import Deferred
    from twisted.internet.protocol import Factory
    from twisted.internet.task import deferLater
    from twisted.protocols.basic import LineOnlyReceiver

    from rserpool.core import parse_transport_address, profile
    from rserpool.user import PoolClientEndpoint, PoolUserService

    class Asks(LineOnlyReceiver):
        delimiter = b"\n"

        def connectionMade(self) -> None:
            self.over: Deferred[None] = Deferred()
            self.sendLine(b"")

        def lineReceived(self, line: bytes) -> None:
            answered(line)
            if options.fresh:
                self.transport.abortConnection()  # type: ignore[union-attr]
            else:
                reactor.callLater(PAUSE, self.sendLine, b"")

        def connectionLost(self, reason: Any = None) -> None:
            self.over.callback(None)

    registrars = [parse_transport_address(each) for each in options.at]
    user = PoolUserService(reactor, registrars, profile=profile(options.profile))
    user.startService()
    if not options.fresh:
        user.subscribe(common.POOL, lambda pool: listed({each.identifier: ("", 0) for each in pool.elements or ()}))
    endpoint = PoolClientEndpoint(user, common.POOL, drop=True)
    while True:
        try:
            if options.fresh:
                await user.resolve(common.POOL, fresh=True)
            asking: Any = await endpoint.connect(Factory.forProtocol(Asks))
            await asking.over
        except Exception as error:  # noqa: BLE001
            print(f"failed: {error!r}", flush=True)
        await deferLater(reactor, PAUSE)


def main() -> None:
    """Ask until ended."""
    parser = common.parser("A user of the pool.")
    parser.add_argument("--fresh", action="store_true", help="resolve and connect for each question")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.client == "rserpool":
        from twisted.internet.defer import Deferred
        from twisted.internet.task import react

        react(lambda reactor: Deferred.fromCoroutine(with_ours(reactor, options)))
    else:

        async def run() -> None:
            await ByHand(options).run()

        asyncio.run(run())
    sys.exit(0)


if __name__ == "__main__":
    main()
