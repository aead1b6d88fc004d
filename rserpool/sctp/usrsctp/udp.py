"""UDP sockets that carry SCTP (RFC 6951), with their error queues: ICMP says at once that a process is gone."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Collection
from errno import ECONNREFUSED
from math import inf
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.sctp.base import A_TURN
from rserpool.sctp.usrsctp.bundle import Bundle
from rserpool.sctp.usrsctp.engine import Engine
from rserpool.sctp.usrsctp.pace import HEARTBEATS, SACK
from rserpool.sctp.usrsctp.packets import (
    BEFORE_DATA,
    HEADER,
    INIT,
    SHORTEST,
    abort_for,
    harmless_init,
    out_of_the_blue,
    ports,
    sound,
)
from rserpool.sctp.usrsctp.peers import OF_ONE, KnownPeers, UdpPeer

BUFFER = 4 * 1024 * 1024
"""Bytes asked for in SO_RCVBUF and SO_SNDBUF; the system may give less."""

SETUPS = 8
"""So many set-ups begin in a turn where more comes than is read."""

WILD = frozenset({"0.0.0.0", "::"})  # noqa: S104
"""All addresses of a family."""

_IP_RECVERR = 11
_IPV6_RECVERR = 25
_IP_MTU_DISCOVER = 10
_EXTENDED_ERROR = struct.Struct("=IBBBB")
_ICMP, _ICMP6 = 2, 3
_PORT_UNREACHABLE = {(_ICMP, 3, 3), (_ICMP6, 1, 4)}
"""Origin, type and code of "port unreachable" (RFC 792, RFC 4443 section 3.1)."""


def bind(host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket.

    @raise OSError: if the port is taken, or the address is not ours.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            udp.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        if sys.platform == "linux" and family == socket.AF_INET:
            # SCTP's packets are small enough; where a path takes less, let IP cut them.
            udp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, 0)
        udp.bind(address)
    except BaseException:
        udp.close()
        raise
    return udp


def family_of(host: str) -> int:
    """The address family of an IP address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def plain(host: str) -> str:
    """An IP address as L{UdpPeer.local} has it: without an interface, in its shortest form."""
    host = host.partition("%")[0]
    return socket.inet_ntop(family_of(host), socket.inet_pton(family_of(host), host))


def with_zone(host: str, port: int, flow: int = 0, zone: int = 0) -> str:
    """The host of an address of the socket module, with the interface where a link-local one means something."""
    if not zone:
        return host
    try:
        return f"{host}%{socket.if_indextoname(zone)}"
    except OSError:
        # The interface is gone.
        return f"{host}%{zone}"


def routed(host: str) -> str:
    """Our own address from which the system would reach C{host}; empty if there is no route."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect(address)
            return str(udp.getsockname()[0])
    except OSError:
        return ""


@implementer(IReadDescriptor)
class UdpSocket:
    """One UDP socket, bound to one address.

    @ivar peers: who is reached through it, by address as the socket module has it.
    @ivar lane: what carries usual packets, where that is compiled.
    """

    log = Logger()

    def __init__(self, engine: Engine, reactor: IReactorFDSet, udp: socket.socket, host: str) -> None:
        self.engine = engine
        self.host = host
        self.family = udp.family
        self.port: int = udp.getsockname()[1]
        self.peers: KnownPeers = {}
        self._socket = udp
        self._reactor = reactor
        self._watching = self._behind = False
        self._begun = 0
        self.lane: Any = None
        if engine.shuttle is not None:
            self.lane = engine.shuttle.Lane(udp.fileno(), udp.family, host in WILD)
        self.sendto: Callable[[Any, Any], Any] = udp.sendto
        self._receive: Callable[[Any], tuple[int, Any]] = udp.recvfrom_into
        self.fileno = udp.fileno

    def logPrefix(self) -> str:
        return f"SCTP over UDP {self.host}:{self.port}"

    def start(self) -> None:
        """Begin to read."""
        self.engine.clock.unread[self] = inf
        self._reactor.addReader(self)

    def close(self) -> None:
        """Stop reading, free the port."""
        self.engine.watched.pop(self.look_at_errors, None)
        self.engine.clock.unread.pop(self, None)
        self._reactor.removeReader(self)
        if self.lane is not None:
            self.lane.close()
        self._socket.close()
        self.engine.peers.forget(self.peers)

    def watch_errors(self) -> None:
        """Have the system queue the ICMP errors that concern this socket; only Linux does."""
        if sys.platform == "linux" and not self._watching:
            self._watching = True
            self.engine.watched[self.look_at_errors] = None
            if self.family == socket.AF_INET:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            else:
                self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)

    def address(self, host: str, port: int, only: Collection[str] | None = None) -> Any:
        """The address of a peer just as L{doRead} will see it.

        @param only: at which of our addresses it may see us; None for any.
        """
        return socket.getaddrinfo(host, port, self.family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0][4]

    def names(self, address: Any) -> tuple[str, int, str]:
        """The peer's host and port, and our own host as the peer sees it."""
        return with_zone(*address), address[1], self.host

    def peer(self, address: Any) -> UdpPeer:
        """The peer at this address; one is made if there is none."""
        peer = self.peers.get(address)
        if peer is None:
            return self.engine.peers.add(self.peers, address, self.sendto, *self.names(address), self.lane)
        self.engine.peers.seen(peer)
        return peer

    def _newcomer(self, address: Any, packet: bytes) -> UdpPeer | None:
        """Somebody of whom nothing is known: one who begins a set-up is remembered, others get an answer at most."""
        engine = self.engine
        if packet[HEADER] != INIT:
            answer = out_of_the_blue(engine.library, packet)
            if answer is not None:
                engine.answer(self.sendto, address, answer)
            return None
        endpoint = engine.endpoints.get(ports(packet)[1])
        host, _, local = self.names(address)
        reached = endpoint is not None and self in endpoint.udp_sockets
        if endpoint is None or not reached or (endpoint.only is not None and local not in endpoint.only):
            answer = abort_for(engine.library, packet) if sound(engine.library, packet) else None
            if answer is not None:
                engine.answer(self.sendto, address, answer)
        elif engine.peers.rate.admits(host, engine.reactor.seconds()):
            return self.peer(address)
        elif engine.peers.rate.refused == 1:
            engine.limited.warn(
                "more new peers than {most} a second of one machine come to UDP port {port}, {host} among them: those "
                "beyond that have to try again",
                most=OF_ONE,
                port=self.port,
                host=host,
            )
        return None

    def doRead(self) -> None:
        clock = self.engine.clock
        waits = clock.unread.get(self, inf) < inf
        self._behind, self._begun = waits and clock.is_behind(self), 0
        read = self._read_some if self.lane is None or clock.pace.coarse else self._carry
        try:
            count = read(A_TURN)
        except OSError as error:
            # A pending ICMP error is told once by any call.
            if self._socket.fileno() < 0 or not self._drained(error):
                return
            self._read_on()
            count = -1
        if waits or count < 0:
            clock.read(self, count >= 0)
        if not count and self._watching:
            # What woke us may be an error that was told to who sent.
            self.look_at_errors()

    def _carry(self, most: int) -> int:
        """Do what L{_read_some} does, compiled but for what is unusual."""
        count: int = self.lane.read(self._taken, most)
        return count

    def _read_some(self, most: int) -> int:
        """Read what came, up to so many datagrams.

        @return: how many there were; -1 if there may be more.
        @raise OSError: if the system tells one.
        """
        receive, room, taken = self._receive, self.engine.room, self._taken
        for count in range(most):
            try:
                length, address = receive(room)
            except BlockingIOError:
                return count
            if length >= SHORTEST and taken(length, address):
                return count + 1
        return -1

    def _taken(self, length: int, address: Any) -> bool:
        """A datagram lies in the engine's room.

        @return: whether it is not worth it to look for another at once.
        """
        engine = self.engine
        room, packet, clock, pace = engine.room, engine.packet, engine.clock, engine.clock.pace
        kind = room[HEADER]
        if self._behind and kind == INIT:
            # Those go first whose set-up is under way: it is given up if that takes too long, and begun anew.
            self._begun += 1
            if self._begun > SETUPS:
                return False
        peer = self.peers.get(address)
        if peer is None:
            peer = self._newcomer(address, bytes(room[:length]))
            if peer is None:
                return False
        elif not peer.users:
            engine.peers.seen(peer)
        elif kind == INIT and not harmless_init(bytes(room[:length])):
            return False
        if coarse := pace.coarse:
            clock.came(peer.handle, room[:length])
        elif kind in HEARTBEATS:
            clock.heard(room[:length])
        if kind not in HEARTBEATS:
            pace.moved = True
        endpoint = engine.endpoints.get(room[2] << 8 | room[3])
        if endpoint is None:
            # The library answers with ABORT.
            engine.input(peer.handle, packet, length, 0)
        elif self in endpoint.udp_sockets and (endpoint.only is None or peer.local in endpoint.only):
            several = length > HEADER + (room[14] << 8 | room[15]) + 3
            if several and kind in BEFORE_DATA and engine.bundle is None:
                # With the end of the set-up, or one another, messages came: acknowledged with what answers them.
                engine.bundle = Bundle()
            engine.input(peer.handle, packet, length, 0)
            (endpoint.drain if kind != SACK or several or coarse else endpoint.acknowledged)()
        else:
            engine.refuse(peer, bytes(room[:length]))
        if coarse:
            clock.served()
        return coarse

    def connectionLost(self, reason: Failure) -> None:
        """The reactor calls this for an error that it saw: ICMP, which leaves the socket as it was."""
        self.look_at_errors()

    def look_at_errors(self) -> None:
        """Read the error queue, and go on reading."""
        if self._socket.fileno() >= 0:
            self._drained(None)
            self._read_on()

    def _read_on(self) -> None:
        """Some loops (uvloop's) take a socket with an error for dead, and look at it no more until they are told to."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._reactor.addReader(self)

    def _drained(self, error: OSError | None) -> bool:
        """Read the error queue.

        @return: whether it makes sense to go on reading.
        """
        if not self._watching:
            return error is None or error.errno == ECONNREFUSED
        while self._socket.fileno() >= 0:
            try:
                packet, ancillary, _, address = self._socket.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return True
            for _, kind, data in ancillary:
                if kind in (_IP_RECVERR, _IPV6_RECVERR) and len(data) >= _EXTENDED_ERROR.size:
                    _, origin, icmp_type, icmp_code, _ = _EXTENDED_ERROR.unpack_from(data)
                    if (origin, icmp_type, icmp_code) in _PORT_UNREACHABLE:
                        self._unreachable(address, packet)
        return False

    def _unreachable(self, address: Any, packet: bytes) -> None:
        """Nobody has the UDP port to which we sent this packet."""
        for peer in self._known(address):
            self.engine.port_unreachable(peer, packet)

    def _known(self, address: Any) -> list[UdpPeer]:
        peer = self.peers.get(address)
        return [peer] if peer is not None else []
