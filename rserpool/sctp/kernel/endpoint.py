"""One SCTP port with any number of associations: a one-to-many socket of the kernel (RFC 6458 section 3)."""

from __future__ import annotations

import select
import socket
from errno import EADDRNOTAVAIL, EALREADY, EHOSTUNREACH, EISCONN, ENETUNREACH
from typing import Any

from twisted.internet.error import ConnectError, ConnectionLost, NoRouteError
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpHandler
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.association import KernelAssociation
from rserpool.sctp.kernel.settings import KernelSettings
from rserpool.sctp.kernel.sockets import KernelSocket
from rserpool.sctp.kernel.waiting import WaitingForRoom
from rserpool.sctp.notifications import AssociationChange, Notification, SendFailed
from rserpool.sctp.sockets import SocketEndpoint, SocketStack

_log = Logger()
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104
_BACKLOG = 1024
_MOST_READ = 1000
"""So often the socket is read when nobody may come any more: there may be no end of messages."""
_UNREACHABLE = {ENETUNREACH: NoRouteError, EHOSTUNREACH: NoRouteError}


@implementer(ISctpEndpoint)
class KernelEndpoint(SocketEndpoint[KernelAssociation, KernelSocket]):
    """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}."""

    kind = KernelAssociation

    def __init__(
        self,
        stack: SocketStack[Any],
        settings: KernelSettings,
        port: int,
        handler: ISctpHandler,
        hosts: tuple[str, ...],
    ) -> None:
        super().__init__(stack, port, handler, hosts)
        self._settings = settings
        self._waiting = WaitingForRoom(stack.reactor, settings)
        self.waits = self._waiting.waits  # type: ignore[method-assign]
        self.has_room = self._waiting.room
        # Those that are gone, until what they could not send has been told.
        self._dying: dict[int, tuple[KernelAssociation, Exception]] = {}
        self._failing = False
        self._encapsulation = 0

    def open(self, listening: bool) -> None:
        ipv6 = any(":" in host for host in self.hosts)
        sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_SEQPACKET, options.IPPROTO_SCTP)
        try:
            sock.setblocking(False)
            if ipv6:
                only = all(":" in host for host in self.hosts)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only))
            options.configure(sock, self.profile)
            self.port = _bind(sock, self.hosts, self.port)
            if listening:
                sock.listen(_BACKLOG)
        except BaseException:
            sock.close()
            raise
        self.socket = KernelSocket(self, self._settings, sock)
        self.socket.start()

    # What users call.

    def _dial(self, association: KernelAssociation) -> Exception | None:
        peer = association.peer
        try:
            identifier = self._connect(peer)
        except OSError as error:
            if error.errno in (EISCONN, EALREADY):
                return ConnectError(EISCONN, f"{self!r} has an association with {peer} already")
            text = f"{peer} cannot be reached from {self!r}: {error.strerror}"
            return _UNREACHABLE.get(error.errno or 0, ConnectError)(error.errno, text)
        association.identifier = identifier
        self.by_id[identifier] = association
        return None

    def _connect(self, peer: TransportAddress) -> int:
        sock = self.socket.socket
        hosts = tuple(host for host in peer.hosts if self._reaches(host))
        if not hosts:
            raise OSError(EADDRNOTAVAIL, f"{self!r} has no address of that family")
        udp = peer.encapsulation or self._settings.encap_port
        if udp != self._encapsulation:
            options.set_encapsulation_port(sock, udp)
            self._encapsulation = udp
        try:
            return options.connect(sock, hosts, peer.port)
        except OSError as error:
            if error.errno not in (EISCONN, EALREADY):
                raise
            # If it is news to us, the peer has dialled at the same time: the two calls become one association.
            identifier = options.association_with(sock, hosts, peer.port)
            if not identifier or identifier in self.by_id:
                raise
            return identifier

    def _reaches(self, host: str) -> bool:
        if ":" in host:
            return self.socket.socket.family == socket.AF_INET6
        return any(":" not in own for own in self.hosts)

    def setHeartbeat(self, seconds: float) -> None:
        if self.closed:
            return
        limit = 0 if self.adopted else self.profile.association_max_retransmissions
        options.set_heartbeat(self.socket.socket, seconds, limit, 0)
        for identifier, association in self.by_id.items():
            options.set_heartbeat(association.socket.socket, seconds, limit, identifier)

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        if self.closed or any(host in WILDCARDS for host in (*self.hosts, *hosts)):
            # SCTP_AUTO_ASCONF would do it, but tells peers of loopback addresses, too: what their kernel sends there
            # comes back as an ABORT of its own, and the association is lost.
            return False
        sockets = dict.fromkeys([self.socket, *(association.socket for association in self.present)])
        kept = [host for host in self.hosts if host in hosts]
        for change, some in (
            (options.add_addresses, [host for host in hosts if host not in self.hosts]),
            (options.remove_addresses, [host for host in self.hosts if host not in hosts]),
        ):
            for host in some:
                try:
                    for sock in sockets:
                        change(sock.socket, (host,), self.port)
                except OSError as error:
                    _log.warn("{endpoint} with {host}: {error}", endpoint=self, host=host, error=error)
                    done = False
                else:
                    done = True
                if done == (change is options.add_addresses):
                    kept.append(host)
        self.hosts = tuple(kept)
        for association in self.present:
            association.forget_local_addresses()
        return self._settings.tells_addresses

    # What associations and sockets call.

    def gone(self, association: KernelAssociation) -> None:
        if association.socket.alone:
            association.socket.close()
        super().gone(association)

    def socket_lost(self, sock: KernelSocket) -> None:
        for association in [each for each in self.present if each.socket is sock]:
            self.by_id.pop(association.identifier, None)
            association.lose(ConnectionLost("the kernel has closed its socket"))

    def drained(self, sock: KernelSocket, empty: bool) -> None:
        if self._dying and (empty or not self._failing):
            for identifier, (association, reason) in list(self._dying.items()):
                if association.socket is sock:
                    del self._dying[identifier]
                    association.lose(reason)
        self._failing = False

    def notified(self, notification: Notification | None) -> None:
        if isinstance(notification, SendFailed) and notification.association in self._dying:
            association, _ = self._dying[notification.association]
            association.failed(notification.data, notification.ppid, notification.fragment)
            self._failing = True
        else:
            super().notified(notification)

    # What L{SocketEndpoint} calls.

    def _accept_no_more(self) -> None:
        if not self.closed and self.socket.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self.socket.socket.listen(0)

    def _read_waiting(self) -> None:
        # Whoever asks may be told of a message just now, and others were read with it.
        self.socket.hand_over()
        waiting = select.poll()
        for _ in range(_MOST_READ):
            if self.closed:
                return
            waiting.register(self.socket.fileno(), select.POLLIN)
            if not waiting.poll(0):
                return
            self.socket.doRead()

    def _close_sockets(self) -> None:
        self._waiting.stop()
        for association in self.present:
            association.socket.close()
        self.socket.close()

    def _address_changed(self, association: KernelAssociation, host: str, state: str) -> None:
        if state in ("added", "removed"):
            association.addresses_changed()
            self.tell("peerAddressesChanged", association)
        super()._address_changed(association, host, state)

    def _ended(self, association: KernelAssociation, change: AssociationChange) -> None:
        # What it could not send is told first, and follows this notification.
        self._dying[association.identifier] = association, self._reason(association, change)

    def _refused(self, association: KernelAssociation, change: AssociationChange) -> bool:
        # The kernel tells no one-to-many socket why a set-up failed: nobody listens, or nobody answers until its last
        # attempt.
        attempts = self.profile.rto_initial * (self.profile.max_init_retransmissions + 1)
        return bool(self.reactor.seconds() - association.begun < 0.9 * attempts)

    def _inbound(self, sock: KernelSocket, identifier: int) -> KernelAssociation | None:
        hosts, port = options.peer_addresses(sock.socket, identifier)
        if not hosts:
            # Its end is told next, of something that nobody knows.
            return None
        udp = self._settings.udp_port and options.encapsulation_port(sock.socket, identifier, hosts[0], port)
        return KernelAssociation(self, sock, TransportAddress(hosts, port, udp), outbound=False, identifier=identifier)


def _bind(sock: socket.socket, hosts: tuple[str, ...], port: int) -> int:
    wild = [host for host in hosts if host in WILDCARDS]
    ipv6 = sock.family == socket.AF_INET6
    # An IPv6 socket that is bound to all addresses is so for both families.
    first = ("::" if ipv6 else "0.0.0.0") if wild else hosts[0]  # noqa: S104
    if ipv6 and ":" not in first:
        first = f"::ffff:{first}"
    sock.bind(socket.getaddrinfo(first, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4])
    bound: int = sock.getsockname()[1]
    if not wild and hosts[1:]:
        options.add_addresses(sock, hosts[1:], bound)
    return bound
