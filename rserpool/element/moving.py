"""An element's own addresses change: its sockets follow, and what is registered does (RFC 5352 3.1, RFC 5061)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from rserpool.core.element import PoolElement
from rserpool.node.node import Node
from rserpool.node.own_addresses import moved

AGAIN = 1.0
"""Seconds after a change of addresses until transports are registered once more."""


class Moving:
    """Follows the addresses of one element.

    @param moved: is called with the addresses before and now.
    @param at: those that its transports are registered at, where its endpoint is at all of this host.
    """

    def __init__(
        self,
        reactor: Any,
        node: Node,
        element: PoolElement,
        log: Logger,
        moved: Callable[[tuple[str, ...], tuple[str, ...]], object],
        at: tuple[str, ...],
    ) -> None:
        self._reactor = reactor
        self._node = node
        self._element = element
        self._log = log
        self._moved = moved
        self._at = at
        self._again: Any = None

    def changed(self, hosts: tuple[str, ...]) -> None:
        """They are these now."""
        endpoint = self._node.asap.sctp
        if endpoint is None:
            return
        before, all_of_them = self._at or endpoint.hosts, bool(self._at)
        told = endpoint.changeHosts(hosts)
        self._at = hosts if all_of_them else ()
        kept = not told and not all_of_them and endpoint.hosts != hosts
        self._log.info(
            "own addresses are {hosts} now, no longer {before}{note}",
            hosts=", ".join(hosts),
            before=", ".join(before),
            note="; peers are not told: associations keep the addresses that they have" if kept else "",
        )
        self._moved(before, hosts)
        self._register(hosts, before)
        # What tells the peer of the address may be lost and sent again, and the registration come first.
        self.stop()
        self._again = self._reactor.callLater(AGAIN, self._register, hosts, before, True)

    def stop(self) -> None:
        """Register nothing again."""
        if self._again is not None and self._again.active():
            self._again.cancel()

    def _register(self, hosts: tuple[str, ...], before: tuple[str, ...], again: bool = False) -> None:
        for handle in self._element.pools:
            now = self._node.now()
            transport = moved(self._element.element(handle).user_transport, before, hosts)
            effects = self._element.change(handle, now, user_transport=transport)
            self._node.perform(self._element.register_again(handle, now) if again and not effects else effects)
