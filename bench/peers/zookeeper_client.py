"""A pool in ZooKeeper, by kazoo: an element is an ephemeral node C{/pool/NUMBER HOST PORT}.

Its name says where it serves, so that one request lists a pool; with data in each node it would be one request more for
each element.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bench.peers.common import Element, Elements, Place, element_of, text_of

PATH = "/pool"
PATIENCE = 30.0
logging.getLogger("kazoo").setLevel(logging.CRITICAL)


class Kazoo:
    """One client and its session, for a thread of its own; it looks for another node by itself."""

    def __init__(self, places: list[Place], ttl: float, tuned: bool = False) -> None:
        self._places = places
        self._ttl = ttl
        self._names: dict[int, str] = {}

    def open(self) -> None:
        """Connect, and make the pool."""
        from kazoo.client import KazooClient

        hosts = ",".join(f"{host}:{port}" for host, port in self._places)
        self.client: Any = KazooClient(
            hosts=hosts,
            timeout=self._ttl,
            randomize_hosts=False,
            # Its own pause between attempts is up to 60 s.
            connection_retry={"max_tries": -1, "delay": 0.02, "backoff": 2, "max_delay": 0.2},
        )
        self.client.start(timeout=PATIENCE)
        self.client.ensure_path(PATH)

    def close(self) -> None:
        """End the session."""
        with suppress(Exception):
            self.client.stop()

    def resolve(self) -> Elements:
        """All elements: the children of a node, as this node of ZooKeeper has them."""
        return _elements(self.client.get_children(PATH))

    def register(self, element: Element) -> None:
        """An ephemeral node."""
        name = _name(element)
        self.client.create(name, b"", ephemeral=True)
        self._names[element[0]] = name

    def deregister(self, number: int) -> None:
        """Remove it."""
        self.client.delete(self._names.pop(number))

    def fill(self, elements: list[Element], window: int = 50) -> None:
        """Many nodes of one session."""
        for first in range(0, len(elements), window):
            some = [
                self.client.create_async(_name(each), b"", ephemeral=True) for each in elements[first : first + window]
            ]
            for each in some:
                each.get(timeout=PATIENCE)

    def keep(self, element: Element) -> None:
        """Register, and again when the session was lost; pings are the library's part. It returns at once."""
        from kazoo.protocol.states import KazooState

        def changed(state: str) -> None:
            if state == KazooState.LOST:
                self.client.handler.spawn(again)

        def again() -> None:
            while True:
                with suppress(Exception):
                    self.client.create(_name(element), b"", ephemeral=True)
                    return
                time.sleep(0.05)

        self.client.add_listener(changed)
        self.register(element)

    def watch(self, changed: Callable[[Elements], None]) -> None:
        """Tell of the elements now, and whenever one comes or goes, in a thread of the library."""
        self.client.ChildrenWatch(PATH, lambda names: changed(_elements(names)))


def _name(element: Element) -> str:
    return f"{PATH}/{element[0]} {text_of(element[1]).decode()}"


def _elements(names: list[str]) -> Elements:
    return dict(
        element_of(number.encode(), rest.encode()) for number, _, rest in (name.partition(" ") for name in names)
    )
