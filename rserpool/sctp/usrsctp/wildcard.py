"""A UDP socket that has all addresses of this host: each packet goes out from the one to which the peer has sent."""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import Any

from twisted.internet.interfaces import IReactorFDSet

from rserpool.sctp.usrsctp.engine import Engine
from rserpool.sctp.usrsctp.peers import UdpPeer
from rserpool.sctp.usrsctp.udp import UdpSocket, family_of, plain, routed, with_zone

_IP_PKTINFO = 8


class WildcardSocket(UdpSocket):
    """One UDP socket, bound to all addresses: it answers from the very address to which a peer has sent.

    Here an address is a pair: the peer's, and ours as ancillary data.
    """

    def __init__(self, engine: Engine, reactor: IReactorFDSet, udp: socket.socket, host: str) -> None:
        super().__init__(engine, reactor, udp, host)
        self.sendto = self._send
        self._receive = self._receive_packed
        if self.family == socket.AF_INET:
            udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        else:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    def address(self, host: str, port: int, only: Collection[str] | None = None) -> Any:
        own = routed(host).partition("%")[0]
        if only is not None and own not in only:
            own = next((plain(each) for each in sorted(only) if family_of(each) == self.family), own)
        return super().address(host, port), self._packed(socket.inet_pton(self.family, own))

    def names(self, address: Any) -> tuple[str, int, str]:
        there, packed = address
        own = packed[4:8] if self.family == socket.AF_INET else packed[:16]
        return with_zone(*there), there[1], socket.inet_ntop(self.family, own)

    def _receive_packed(self, room: Any) -> tuple[int, Any]:
        length, ancillary, _, address = self._socket.recvmsg_into([room], 128)
        own = self._own(ancillary)
        return length if own else 0, (address, own)

    def _own(self, ancillary: list[tuple[int, int, bytes]]) -> bytes | None:
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                return self._packed(data[8:12])
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                return self._packed(data[:16])
        return None

    def _packed(self, own: bytes) -> bytes:
        """Our address as a C{struct in_pktinfo} or C{in6_pktinfo} that leaves the interface to the system."""
        return bytes(4) + own + bytes(4) if self.family == socket.AF_INET else own + bytes(4)

    def _send(self, data: Any, address: Any) -> int:
        destination, packed = address
        level, kind = (
            (socket.IPPROTO_IP, _IP_PKTINFO)
            if self.family == socket.AF_INET
            else (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
        )
        return self._socket.sendmsg([data], [(level, kind, packed)], 0, destination)

    def _known(self, address: Any) -> list[UdpPeer]:
        return [peer for (known, _), peer in self.peers.items() if known == address]
