"""While an element drains: how many connections it has yet, and those that are idle are ended, so that users go on."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import LoopingCall

from rserpool.core.element import PoolElement
from rserpool.core.wire.parameters import UserTransport
from rserpool.element.attending import kind_and_port
from rserpool.element.draining import connections, end_idle
from rserpool.element.openings import open_ports
from rserpool.element.ports import place_of
from rserpool.node.reactor import clock_of

EVERY = 0.25
"""Seconds between two looks at the connections."""


class Emptying:
    """Looks after the ports of this process whose pools all drain.

    The port stays open: who has heard of the element before, and comes late, is served. Where another process listens,
    nothing is known of its connections.
    """

    def __init__(self, reactor: Any, element: PoolElement) -> None:
        self._reactor = reactor
        self._element = element
        self._now = clock_of(reactor)
        self._since: dict[Any, float] = {}
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        element.connections = self.connections

    def connections(self, handle: bytes) -> int | None:
        """How many connections are open to what serves in a pool; None where that is not known."""
        ports = self._ports(self._element.element(handle).user_transport)
        return connections(self._reactor, ports) if ports else None

    def begin(self) -> None:
        """An element drains."""
        if not self._looking.running:
            self._looking.start(EVERY, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()
        self._since.clear()

    def _look(self) -> None:
        drains: dict[tuple[str, int], bool] = {}
        for handle in self._element.pools:
            place = kind_and_port(self._element.element(handle).user_transport)
            drains[place] = drains.get(place, True) and self._element.drains(handle)
        if not any(map(self._element.drains, self._element.pools)):
            self.stop()
            return
        ports = [port for port in open_ports(self._reactor) if drains.get(_place(port))]
        end_idle(self._reactor, ports, self._since, self._now())

    def _ports(self, transport: UserTransport) -> list[Any]:
        return [port for port in open_ports(self._reactor) if _place(port) == kind_and_port(transport)]


def _place(port: Any) -> tuple[str, int]:
    place = place_of(port)
    return place.kind, place.number
