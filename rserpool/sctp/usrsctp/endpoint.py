"""One SCTP port with any number of associations: a one-to-many socket of libusrsctp (RFC 6458 section 3)."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from errno import EISCONN
from functools import partial
from socket import ntohl
from typing import Any

from twisted.internet.error import CannotListenError, ConnectError, ConnectionLost, TimeoutError
from zope.interface import implementer

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress, only_this_host
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpHandler
from rserpool.sctp.notifications import AssociationChange, Change
from rserpool.sctp.sockets import RCVINFO, SocketEndpoint, SocketStack
from rserpool.sctp.usrsctp.association import UsrsctpAssociation
from rserpool.sctp.usrsctp.bundle import Bundle
from rserpool.sctp.usrsctp.engine import Engine
from rserpool.sctp.usrsctp.library import MSG_NOTIFICATION, SCTP_UNORDERED
from rserpool.sctp.usrsctp.notifications import NUMBERS
from rserpool.sctp.usrsctp.packets import initiate_tag
from rserpool.sctp.usrsctp.peers import UdpPeer
from rserpool.sctp.usrsctp.sockets import UsrsctpSocket
from rserpool.sctp.usrsctp.udp import WILD, UdpSocket, family_of, plain, routed

_MSG_EOR = int(socket.MSG_EOR)
"""As an integer: an enum's operators are slow."""
_EVENT_READ = 1
LOOPBACK_MTU = 16 * 1024
"""Bytes of an IP packet that does not leave this host."""
_UDP = 8
_IPV4, _IPV6 = 20, 40


def largest(hosts: tuple[str, ...], mtu: int) -> int:
    """How many bytes of SCTP fit into an IP packet of an endpoint at these addresses, with UDP's header before them."""
    above = _IPV6 if any(":" in host for host in hosts) else _IPV4
    return (LOOPBACK_MTU if only_this_host(hosts) else mtu) - above - _UDP


@implementer(ISctpEndpoint)
class UsrsctpEndpoint(SocketEndpoint[UsrsctpAssociation, UsrsctpSocket]):
    """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}.

    @ivar udp_sockets: the UDP sockets through which peers may reach this endpoint.
    @ivar lanes: what carries their usual packets, where that is compiled.
    @ivar only: at which of our addresses, where one of those has all of them; None: at all that they have.
    """

    kind = UsrsctpAssociation
    _stack: Any

    def __init__(
        self,
        stack: SocketStack[Any],
        engine: Engine,
        port: int,
        handler: ISctpHandler,
        hosts: tuple[str, ...],
        udp_sockets: tuple[UdpSocket, ...],
    ) -> None:
        super().__init__(stack, port, handler, hosts)
        self.engine = engine
        self._take(udp_sockets)
        self._of_port: dict[int, int] = {}
        self._blocked: dict[UsrsctpAssociation, None] = {}
        self._draining = False
        self._after: deque[Callable[[], object]] = deque()
        self._events = engine.library.lib.usrsctp_get_events

    def open(self, listening: bool) -> None:
        self.socket = UsrsctpSocket(self.engine, self.profile, many=listening and self.port > 0)
        self.socket.set_largest(largest(self.hosts, self.profile.mtu))
        self._read = self._make_reader()
        try:
            self.port = self.socket.bind(self.port, self.engine.endpoints)
            if listening:
                self.socket.listen(True)
        except BaseException:
            self.socket.close()
            raise
        self.engine.endpoints[self.port] = self
        self.engine.clock.news.expect(self.profile)
        self._watch_errors()

    def _take(self, udp_sockets: tuple[UdpSocket, ...]) -> None:
        self.udp_sockets = udp_sockets
        self.lanes = tuple(udp.lane for udp in udp_sockets)
        wild = {udp.host for udp in udp_sockets} & WILD
        self.only = frozenset((*self.hosts, *map(plain, self.hosts))) if wild.difference(self.hosts) else None

    def _watch_errors(self) -> None:
        if self.profile.icmp:
            for udp in self.udp_sockets:
                udp.watch_errors()

    # What users call.

    def setHeartbeat(self, seconds: float) -> None:
        if not self.closed:
            sooner = seconds < self.socket.heartbeat
            self.socket.heartbeat = seconds
            self.socket.set_heartbeat(seconds)
            for association in self.by_id.values():
                association.set_heartbeat()
            if sooner:
                clock = self.engine.clock
                clock.pace.crowd.hurry(self.by_id.values(), clock.now)

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        # An association over UDP has one address at each end: with that it is gone, and the peer is not told.
        if self.closed or hosts == self.hosts:
            return False
        before, sockets = self.udp_sockets, self.udp_sockets
        if not WILD.intersection(self.hosts):
            try:
                sockets = self._stack.sockets_at(hosts)
            except CannotListenError as error:
                self.log.warn("{endpoint} cannot be at {hosts}: {error}", endpoint=self, hosts=hosts, error=error)
                return False
        here = self.hosts
        for owner in [each for each in self.engine.endpoints.values() if each.hosts == here]:
            owner.move(hosts, sockets)
        self._stack.leave(tuple(udp for udp in before if udp not in sockets))
        return False

    def move(self, hosts: tuple[str, ...], sockets: tuple[Any, ...]) -> None:
        """Our addresses are these now; associations at others are lost."""
        if not WILD.intersection(self.hosts):
            self.hosts = hosts
        self._take(sockets)
        self._watch_errors()
        stay = {*map(plain, hosts)}
        for association in [each for each in self.present if stay.isdisjoint(map(plain, each.local_addresses))]:
            association.cut()
            self.later(association.lose, ConnectionLost("our own address is gone"))

    def _dial(self, association: UsrsctpAssociation) -> Exception | None:
        """Send an INIT to the next of the peer's hosts that was not tried yet; here an association has only one path.

        @return: why that was not possible.
        """
        engine, peer = self.engine, association.peer
        failure: Exception = TimeoutError(f"none of {', '.join(peer.hosts)} can be reached from {self!r}")
        while association.untried:
            udp_peer = self._route(association.untried.pop(0), peer.encapsulation or ENCAPSULATION_PORT)
            if udp_peer is None:
                continue
            engine.sent = []
            identifier = self.socket.connect(peer.port, udp_peer.handle)
            sent, engine.sent = engine.sent, None
            if identifier:
                self.by_id[identifier] = association
                association.dialled(identifier, udp_peer, next(filter(None, map(initiate_tag, sent)), b""))
                return None
            failure = ConnectError(EISCONN, f"{self!r} has an association with {peer} already")
        return failure

    def _route(self, host: str, port: int) -> UdpPeer | None:
        """The peer with this address, through the best of our UDP sockets."""
        candidates = [udp for udp in self.udp_sockets if udp.family == family_of(host)]
        if len(candidates) > 1:
            own = routed(host)
            candidates.sort(key=lambda udp: udp.host != own)
        for udp in candidates:
            try:
                return udp.peer(udp.address(host, port, self.only))
            except OSError:
                continue
        return None

    # What the engine asks.

    def is_settled(self) -> bool:
        """Whether all associations are up, and nothing is on its way over them."""
        if self._blocked:
            return False
        for each in self.present:
            if each.buffered or not each.established or not self.socket.is_settled(each.identifier):
                return False
        return True

    def doubt(self, handle: int, port: int) -> None:
        association = self.by_id.get(self.socket.association(port, handle))
        if association is not None:
            association.doubt(self.engine.clock.now)

    # What associations call.

    def comes(self, port: int) -> int:
        """An association with a peer at this SCTP port is up: the number of those that there are now."""
        count = self._of_port[port] = self._of_port.get(port, 0) + 1
        return count

    def goes(self, port: int) -> None:
        """It is gone."""
        self._of_port[port] -= 1
        if not self._of_port[port]:
            del self._of_port[port]

    def after(self, call: Callable[[], object]) -> None:
        """Call this once all is read that came in."""
        if self._draining:
            self._after.append(call)
        else:
            call()

    def bundle(self) -> None:
        """What goes out until all is read that came in goes out together."""
        if self.engine.bundle is None:
            self.engine.bundle = Bundle()
            if not self._draining:
                self.later(self.engine.send_bundle)

    def waits(self, association: UsrsctpAssociation, waiting: bool) -> None:
        if waiting:
            self._blocked[association] = None
            self._look_again()
        else:
            self._blocked.pop(association, None)

    def gone(self, association: UsrsctpAssociation) -> None:
        super().gone(association)
        association.released()

    # What L{SocketEndpoint} calls.

    def _accept_no_more(self) -> None:
        self.socket.listen(False)

    def _close_sockets(self) -> None:
        self.socket.close()
        del self.engine.endpoints[self.port]
        self.engine.clock.linger()

    def _ended(self, association: UsrsctpAssociation, change: AssociationChange) -> None:
        if change.change is not Change.CANT_STR_ASSOC or self._dial(association) is not None:
            super()._ended(association, change)

    def _inbound(self, socket: UsrsctpSocket, identifier: int) -> UsrsctpAssociation | None:
        handle, port = socket.peer(identifier)
        udp_peer = self.engine.peers.by_handle.get(handle)
        if udp_peer is None:
            if handle:
                socket.control(identifier, socket.ABORT)
            return None
        peer = TransportAddress((udp_peer.host,), port, udp_peer.port)
        return UsrsctpAssociation(self, socket, peer, False, identifier, udp_peer)

    # What the library has for us.

    def drain(self) -> None:
        """Read all messages and notifications, then send what waited for room."""
        if self._draining:
            return
        self._draining = self.socket.answering = True
        try:
            self._read()
            while self._after:
                self._after.popleft()()
            if self._blocked:
                for association in list(self._blocked):
                    association.flush()
        except Exception:
            self.log.failure("reading from {endpoint} failed", endpoint=self)
        finally:
            self._draining = self.socket.answering = False
            if self.engine.bundle is not None:
                self.engine.send_bundle()

    def acknowledged(self) -> None:
        """There may be room for what waits. An acknowledgement brings nothing to read; if it makes no sense, and ends
        the association, that is seen with the next tick."""
        if self._blocked:
            self.drain()

    def look(self) -> None:
        """Do the same if there is anything to do: in most ticks there is not."""
        so = self.socket.so
        if self._blocked or (so is not None and self._events(so) & _EVENT_READ):
            self.drain()
            if self._blocked:
                self._look_again()

    def _look_again(self) -> None:
        clock = self.engine.clock
        clock.news.went(self.port.to_bytes(2, "big"), clock.pace.now)

    def _address_changed(self, association: UsrsctpAssociation, host: str, state: str) -> None:
        # A peer has one address here, which the library does not name.
        super()._address_changed(association, association.peer_addresses[0], state)

    def _told(self, notification: bytes) -> None:
        self.notified(NUMBERS.parse(notification))

    def _make_reader(self) -> Callable[[], None]:
        """What reads all that there is: it runs for each packet, so what stays the same is looked up once."""
        engine = self.engine
        if self.socket.port is not None:
            return partial(self.socket.port.read, self.by_id, self._told)
        lib = engine.library.lib
        events, receive = lib.usrsctp_get_events, lib.usrsctp_recvv
        null = engine.library.ffi.NULL
        message, view, size = engine.message, engine.message_view, len(engine.message_view)
        rcvinfo, length, infotype, flags = engine.rcvinfo, engine.rcvinfo_length, engine.infotype, engine.flags
        information, unpack = engine.rcvinfo_bytes, RCVINFO.unpack_from
        by_id, sock, told, clock = self.by_id, self.socket, self._told, engine.clock

        def read() -> None:
            while (so := sock.so) is not None and events(so) & _EVENT_READ:
                flags[0] = 0
                length[0] = 28
                count = receive(so, message, size, null, null, rcvinfo, length, infotype, flags)
                if count < 0:
                    break
                data = view[:count].tobytes()
                seen = flags[0]
                if seen & MSG_NOTIFICATION:
                    told(data)
                    continue
                stream, _, bits, ppid, _, _, _, identifier = unpack(information)
                association = by_id.get(identifier)
                if association is not None:
                    association.heard_at = clock.now
                    association.received(data, ntohl(ppid), stream, bits & SCTP_UNORDERED != 0, seen & _MSG_EOR != 0)

        return read
