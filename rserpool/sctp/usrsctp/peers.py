"""Handles: the numbers by which libusrsctp names who is at the other end of UDP (AF_CONN addresses).

The library must know every handle, and what it keeps of a forgotten one is never freed without its threads; so no
handle is forgotten: it is used again once nothing hangs on it. There are as many as peers with associations, plus
L{SPARE}: forged sources do not fill memory.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from rserpool.sctp.usrsctp.library import Library

if TYPE_CHECKING:
    from rserpool.sctp.usrsctp.udp import UdpSocket

SPARE = 256
"""So many peers without an association are remembered: those that are setting one up, or have just ended one."""


class Peer:
    """One UDP address as seen from one of our UDP sockets.

    @ivar address: the peer's address as the socket module has it (for a wildcard socket: with our own address).
    @ivar sendto: sends bytes from the right socket; takes the bytes and C{address}.
    @ivar users: how many associations there are with it.
    """

    __slots__ = ("address", "handle", "host", "local", "port", "sendto", "udp", "users")

    def __init__(self, handle: int, udp: UdpSocket, address: Any, host: str, port: int, local: str) -> None:
        self.handle = handle
        self.udp = udp
        self.address = address
        self.host = host
        self.port = port
        self.local = local
        self.sendto = udp.sendto
        self.users = 0


class Peers:
    """All peers of the process, by handle."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.by_handle: dict[int, Peer] = {}
        self._spare: OrderedDict[int, Peer] = OrderedDict()
        self._free: list[int] = []
        self._registered = 0

    def find(self, udp: UdpSocket, address: Any) -> Peer:
        """The peer at this address; one is made if there is none."""
        peer = udp.peers.get(address)
        if peer is None:
            handle = self._handle()
            peer = udp.peers[address] = self.by_handle[handle] = Peer(handle, udp, address, *udp.names(address))
            self._spare[handle] = peer
        elif not peer.users:
            self._spare.move_to_end(peer.handle)
        return peer

    def hold(self, peer: Peer) -> None:
        """An association with it begins."""
        peer.users += 1
        self._spare.pop(peer.handle, None)

    def release(self, peer: Peer) -> None:
        """An association with it has ended."""
        peer.users -= 1
        if not peer.users and self.by_handle.get(peer.handle) is peer:
            self._spare[peer.handle] = peer

    def forget(self, udp: UdpSocket) -> None:
        """The socket is closed."""
        for peer in udp.peers.values():
            del self.by_handle[peer.handle]
            self._spare.pop(peer.handle, None)
            self._free.append(peer.handle)
        udp.peers.clear()

    def _handle(self) -> int:
        if len(self._spare) >= SPARE:
            handle, peer = self._spare.popitem(last=False)
            del peer.udp.peers[peer.address]
            return handle
        if self._free:
            return self._free.pop()
        self._registered += 1
        self._library.lib.usrsctp_register_address(self._registered)
        return self._registered
