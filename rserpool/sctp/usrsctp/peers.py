"""Handles: the numbers by which libusrsctp names who is at the other end of UDP (AF_CONN addresses).

The library must know every handle, and what it keeps of a forgotten one is never freed without its threads; so no
handle is forgotten: it is used again once nothing hangs on it. There are as many as peers with associations, plus
L{SPARE}: forged sources do not fill memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rserpool.core.admission import Rate
from rserpool.sctp.usrsctp.library import Library

SPARE = 4096
"""So many peers without an association are remembered: those that are setting one up, or have just ended one."""
OF_ONE, OF_ALL = SPARE // 4, SPARE // 2
"""So many of one machine, and of all, may come in a second: each is remembered for two at least, longer than a set-up
takes."""


@dataclass(eq=False, slots=True)
class UdpPeer:
    """One UDP address as seen from one of our UDP sockets.

    @ivar known: those that are seen from the same socket, by C{address}.
    @ivar address: the peer's address as the socket module has it (for a wildcard socket: with our own address).
    @ivar sendto: sends bytes from the right socket; takes the bytes and C{address}.
    @ivar local: our own host, as the peer sees it.
    @ivar lane: what carries its packets, where that is compiled.
    @ivar users: how many associations there are with it.
    """

    handle: int
    known: KnownPeers
    address: Any
    sendto: Callable[[Any, Any], Any]
    host: str
    port: int
    local: str
    lane: Any = None
    users: int = 0


KnownPeers: TypeAlias = dict[Any, UdpPeer]


class UdpPeers:
    """All peers of the process, by handle.

    @ivar rate: how fast new ones may come.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self.by_handle: dict[int, UdpPeer] = {}
        self._spare: OrderedDict[int, UdpPeer] = OrderedDict()
        self._free: list[int] = []
        self._registered = 0
        self.rate = Rate(OF_ONE, OF_ALL)

    def add(
        self,
        known: KnownPeers,
        address: Any,
        sendto: Callable[[Any, Any], Any],
        host: str,
        port: int,
        local: str,
        lane: Any,
    ) -> UdpPeer:
        """A peer that is new to a socket; its handle may have been another's."""
        handle = self._handle()
        peer = known[address] = self.by_handle[handle] = UdpPeer(
            handle, known, address, sendto, host, port, local, lane
        )
        self._spare[handle] = peer
        return peer

    def seen(self, peer: UdpPeer) -> None:
        """It is heard again: of those without an association it is the last to be forgotten."""
        if not peer.users:
            self._spare.move_to_end(peer.handle)

    def hold(self, peer: UdpPeer) -> None:
        """An association with it begins."""
        peer.users += 1
        self._spare.pop(peer.handle, None)
        if peer.lane is not None and peer.users == 1:
            peer.lane.hold(peer.handle, peer.address, peer.local)

    def release(self, peer: UdpPeer) -> None:
        """An association with it has ended."""
        peer.users -= 1
        if peer.lane is not None and not peer.users:
            peer.lane.release(peer.handle)
        if not peer.users and self.by_handle.get(peer.handle) is peer:
            self._spare[peer.handle] = peer

    def forget(self, known: KnownPeers) -> None:
        """Their socket is closed."""
        for peer in known.values():
            del self.by_handle[peer.handle]
            self._spare.pop(peer.handle, None)
            self._free.append(peer.handle)
        known.clear()

    def _handle(self) -> int:
        if len(self._spare) >= SPARE:
            handle, peer = self._spare.popitem(last=False)
            del peer.known[peer.address]
            return handle
        if self._free:
            return self._free.pop()
        self._registered += 1
        self._library.lib.usrsctp_register_address(self._registered)
        return self._registered
