"""A pool in etcd, by two libraries that people use: aetcd (asyncio, gRPC), and etcd3gw (threads, the JSON gateway).

An element is a key C{/pool/NUMBER} with a lease of its own, and its value says where it serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bench.peers.common import Element, Elements, Place, element_of, text_of

PREFIX = b"/pool/"


class Aetcd:
    """One client by aetcd. It speaks with one node, and goes to the next when that fails: the library has no list."""

    def __init__(self, places: list[Place], ttl: float, tuned: bool) -> None:
        self._places = places
        self._ttl = max(1, round(ttl))
        self._tuned = tuned
        self._client: Any = None
        self._leases: dict[int, Any] = {}

    async def open(self) -> None:
        """Connect to the first of the nodes."""
        import aetcd

        host, port = self._places[0]
        self._client = aetcd.Client(host=host, port=port)
        await self._client.connect()

    async def close(self) -> None:
        """Connect to nobody."""
        with suppress(Exception):
            await self._client.close()

    async def next(self) -> None:
        """Go to the next node."""
        self._places = [*self._places[1:], self._places[0]]
        await self.close()
        await self.open()

    async def resolve(self) -> Elements:
        """All elements: one range, linearizable, or as the node has it (tuned)."""
        if not self._tuned:
            found = [(each.key, each.value) for each in await self._client.get_prefix(PREFIX)]
        else:
            from aetcd import rpc

            request = rpc.RangeRequest(key=PREFIX, range_end=PREFIX[:-1] + b"0", serializable=True)
            found = [(each.key, each.value) for each in (await self._client.kvstub.Range(request)).kvs]
        return dict(element_of(key[len(PREFIX) :], value) for key, value in found)

    async def register(self, element: Element) -> None:
        """A lease, and a key that ends with it."""
        lease = await self._client.lease(self._ttl)
        await self._client.put(PREFIX + b"%d" % element[0], text_of(element[1]), lease=lease)
        self._leases[element[0]] = lease

    async def deregister(self, number: int) -> None:
        """End the lease, and with it the key."""
        await self._client.revoke_lease(self._leases.pop(number).id)

    async def fill(self, elements: list[Element], window: int = 50) -> None:
        """Many keys under one lease."""
        lease = await self._client.lease(3600)
        for first in range(0, len(elements), window):
            some = elements[first : first + window]
            await asyncio.gather(
                *(self._client.put(PREFIX + b"%d" % number, text_of(place), lease=lease) for number, place in some)
            )

    async def keep(self, element: Element) -> None:
        """Register, and renew the lease three times within its life, wherever that is possible."""
        registered = False
        while True:
            try:
                if not registered:
                    await self.register(element)
                    registered = True
                await asyncio.sleep(self._ttl / 3)
                answer = await asyncio.wait_for(self._leases[element[0]].refresh(), self._ttl / 3)
                registered = answer.TTL > 0
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001
                await asyncio.sleep(0.02)
                with suppress(Exception):
                    await self.next()

    async def watch(self, changed: Callable[[Elements], None]) -> None:
        """Tell of the elements now, and whenever one comes or goes."""
        while True:
            with suppress(Exception):
                watching = await self._client.watch_prefix(PREFIX)
                changed(await self.resolve())
                async for _ in watching:
                    changed(await self.resolve())
            await asyncio.sleep(0.05)
            with suppress(Exception):
                await self.next()


class Gateway:
    """One client by etcd3gw, for a thread of its own."""

    def __init__(self, places: list[Place], ttl: float, tuned: bool) -> None:
        self._place = places[0]
        self._ttl = max(1, round(ttl))
        self._leases: dict[int, Any] = {}
        # The library has no word for reads of one node alone.
        self._tuned = tuned

    def open(self) -> None:
        """It connects with the first request."""
        import etcd3gw

        self._client: Any = etcd3gw.client(host=self._place[0], port=self._place[1], timeout=10)

    def close(self) -> None:
        """Connect to nobody."""
        self._client.session.close()

    def resolve(self) -> Elements:
        """All elements."""
        found = self._client.get_prefix(PREFIX.decode())
        return dict(element_of(about["key"][len(PREFIX) :], value) for value, about in found)

    def register(self, element: Element) -> None:
        """A lease, and a key that ends with it."""
        lease = self._client.lease(ttl=self._ttl)
        self._client.put(f"{PREFIX.decode()}{element[0]}", text_of(element[1]), lease=lease)
        self._leases[element[0]] = lease

    def deregister(self, number: int) -> None:
        """End the lease, and with it the key."""
        self._leases.pop(number).revoke()
