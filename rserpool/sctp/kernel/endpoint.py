"""One SCTP port with any number of associations: a one-to-many socket of the kernel (RFC 6458 section 3)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import EADDRNOTAVAIL, EALREADY, EHOSTUNREACH, EISCONN, ENETUNREACH
from typing import TYPE_CHECKING

from twisted.internet.error import (
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    NoRouteError,
    TimeoutError,
)
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.base import tell
from rserpool.sctp.ending import Ending
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpHandler
from rserpool.sctp.kernel import notifications, options
from rserpool.sctp.kernel.association import Association
from rserpool.sctp.kernel.port import Port
from rserpool.sctp.kernel.waiting import Waiting

if TYPE_CHECKING:
    from rserpool.sctp.kernel.stack import KernelStack

_log = Logger()
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104
_BACKLOG = 1024
_UNREACHABLE = {ENETUNREACH: NoRouteError, EHOSTUNREACH: NoRouteError}


@implementer(ISctpEndpoint)
class Endpoint(Ending):
    """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}.

    @ivar port_of_all: the socket of all associations that have none of their own; None once the endpoint is closed.
    """

    def __init__(
        self,
        stack: KernelStack,
        port: int,
        handler: ISctpHandler,
        hosts: tuple[str, ...],
        closed: Callable[[Endpoint], None],
    ) -> None:
        super().__init__()
        self.stack = stack
        self.reactor = stack.reactor
        self.port = port
        self.handler = handler
        self.message_received = handler.messageReceived
        self.hosts = hosts
        self.present: dict[Association, None] = {}
        self.by_id: dict[int, Association] = {}
        self.port_of_all: Port | None = None
        self._on_closed = closed
        self._listening = False
        self.waiting = Waiting(self)
        self.waits = self.waiting.waits
        # Those that are gone, until what they could not send has been told.
        self._dying: dict[int, tuple[Association, Exception]] = {}
        self._failing = False
        self._encapsulation = 0

    @property
    def associations(self) -> int:
        return len(self.present)

    def __repr__(self) -> str:
        return f"<SCTP endpoint {','.join(self.hosts)}:{self.port}>"

    def open(self, listening: bool) -> None:
        """Make the socket.

        @raise OSError: if the port is taken or an address is not local.
        """
        ipv6 = any(":" in host for host in self.hosts)
        sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_SEQPACKET, options.IPPROTO_SCTP)
        try:
            sock.setblocking(False)
            if ipv6:
                only = all(":" in host for host in self.hosts)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only))
            options.configure(sock, self.stack.profile)
            self._bind(sock, ipv6)
            if listening:
                sock.listen(_BACKLOG)
                self._listening = True
        except BaseException:
            sock.close()
            raise
        self.port_of_all = Port(self, sock)
        self.port_of_all.start()

    def _bind(self, sock: socket.socket, ipv6: bool) -> None:
        wild = [host for host in self.hosts if host in WILDCARDS]
        # An IPv6 socket that is bound to all addresses is so for both families.
        first = ("::" if ipv6 else "0.0.0.0") if wild else self.hosts[0]  # noqa: S104
        if ipv6 and ":" not in first:
            first = f"::ffff:{first}"
        sock.bind(socket.getaddrinfo(first, self.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4])
        self.port = sock.getsockname()[1]
        if not wild and self.hosts[1:]:
            options.add_addresses(sock, self.hosts[1:], self.port)

    # What users call.

    def connect(self, peer: TransportAddress) -> Association:
        association = Association(self, peer, outbound=True)
        if self._closing or self.port_of_all is None:
            association.abort()
            return association
        try:
            association.identifier = self._dial(self.port_of_all.socket, peer)
        except OSError as error:
            self.later(association.lose, self._not_dialled(peer, error))
        else:
            self.by_id[association.identifier] = association
        return association

    def _dial(self, sock: socket.socket, peer: TransportAddress) -> int:
        hosts = tuple(host for host in peer.hosts if self._reaches(sock, host))
        if not hosts:
            raise OSError(EADDRNOTAVAIL, f"{self!r} has no address of that family")
        udp = peer.encapsulation or self.stack.default_encapsulation
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

    def _reaches(self, sock: socket.socket, host: str) -> bool:
        if ":" in host:
            return sock.family == socket.AF_INET6
        return any(":" not in own for own in self.hosts)

    def _not_dialled(self, peer: TransportAddress, error: OSError) -> Exception:
        if error.errno in (EISCONN, EALREADY):
            return ConnectError(EISCONN, f"{self!r} has an association with {peer} already")
        text = f"{peer} cannot be reached from {self!r}: {error.strerror}"
        return _UNREACHABLE.get(error.errno or 0, ConnectError)(error.errno, text)

    def setHeartbeat(self, seconds: float) -> None:
        if self.port_of_all is None:
            return
        options.set_heartbeat(self.port_of_all.socket, self.stack.profile, seconds, 0)
        for identifier, association in self.by_id.items():
            options.set_heartbeat(association.port.socket, self.stack.profile, seconds, identifier)

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        if self.port_of_all is None or any(host in WILDCARDS for host in (*self.hosts, *hosts)):
            # SCTP_AUTO_ASCONF would do it, but tells peers of loopback addresses, too: what their kernel sends there
            # comes back as an ABORT of its own, and the association is lost.
            return False
        sockets = dict.fromkeys([self.port_of_all, *(association.port for association in self.present)])
        kept = [host for host in self.hosts if host in hosts]
        for change, some in (
            (options.add_addresses, [host for host in hosts if host not in self.hosts]),
            (options.remove_addresses, [host for host in self.hosts if host not in hosts]),
        ):
            for host in some:
                try:
                    for port in sockets:
                        change(port.socket, (host,), self.port)
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
        return self.stack.tells_addresses

    # What associations call.

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""
        tell(_log, getattr(self.handler, method), *arguments)

    def later(self, call: Callable[..., object], *arguments: object) -> None:
        """Call this once the present call has returned."""
        self.reactor.callLater(0, call, *arguments)

    def gone(self, association: Association) -> None:
        """The handler has been told that the association is lost."""
        del self.present[association]
        if association.port.alone:
            association.port.close()
        if self._closing and not self.present:
            self._free()

    def _accept_no_more(self) -> None:
        if self.port_of_all is not None and self._listening:
            self.port_of_all.socket.listen(0)

    def _free(self) -> None:
        self.waiting.stop()
        if self.port_of_all is not None:
            port, self.port_of_all = self.port_of_all, None
            for association in self.present:
                association.port.close()
            port.close()
            self._on_closed(self)
        if not self.present:
            self._stopped()

    # What sockets call.

    def port_lost(self, port: Port) -> None:
        """The socket of one association is of no more use."""
        for association in [each for each in self.present if each.port is port]:
            self.by_id.pop(association.identifier, None)
            association.lose(ConnectionLost("the kernel has closed its socket"))

    def drained(self, port: Port, empty: bool) -> None:
        """A socket has been read, until nothing was left or for long enough."""
        if self._dying and (empty or not self._failing):
            for identifier, (association, reason) in list(self._dying.items()):
                if association.port is port:
                    del self._dying[identifier]
                    association.lose(reason)
        self._failing = False

    def notified(self, data: bytes) -> None:
        """A notification has arrived."""
        match notifications.parse(data):
            case notifications.AssociationChange() as change:
                self._changed(change)
            case notifications.SendFailed(identifier, message, ppid, fragment):
                association = self.by_id.get(identifier)
                if association is None and identifier in self._dying:
                    association = self._dying[identifier][0]
                    self._failing = True
                if association is not None:
                    association.failed(message, ppid, fragment)
            case notifications.AddressChange(identifier, host, state):
                if (association := self.by_id.get(identifier)) is not None:
                    self._address_changed(association, host, state)
            case notifications.PeerShutdown(identifier):
                if (association := self.by_id.get(identifier)) is not None:
                    association.shut_down()
            case notifications.DeliveryAborted(identifier, stream):
                if (association := self.by_id.get(identifier)) is not None:
                    association.cut_short(stream)

    def _address_changed(self, association: Association, host: str, state: str) -> None:
        if state in ("added", "removed"):
            association.addresses_changed()
            self.tell("peerAddressesChanged", association)
        if state in ("available", "confirmed", "unreachable") and association.established:
            self.tell("addressChanged", association, host, state != "unreachable")

    def _changed(self, change: notifications.AssociationChange) -> None:
        identifier = change.association
        association = self.by_id.get(identifier)
        match change.state:
            case notifications.COMM_UP:
                association = association or self._accepted(identifier, self.port_of_all)
                if association is not None:
                    association.up(change.streams)
            case notifications.RESTART:
                # The peer has begun anew (RFC 9260 section 5.2): for us the old association is gone.
                port = self.port_of_all
                if association is not None:
                    del self.by_id[identifier]
                    port, association.port = association.port, port or association.port
                    association.lose(ConnectionLost("the peer has restarted"))
                if port is not None and (association := self._accepted(identifier, port)) is not None:
                    association.up(change.streams)
            case notifications.SHUTDOWN_COMP | notifications.COMM_LOST | notifications.CANT_STR_ASSOC:
                if association is not None:
                    # What it could not send is told first, and follows this notification.
                    del self.by_id[identifier]
                    self._dying[identifier] = association, self._reason(association, change)

    def _reason(self, association: Association, change: notifications.AssociationChange) -> Exception:
        if change.state == notifications.SHUTDOWN_COMP:
            return ConnectionDone()
        if change.state == notifications.COMM_LOST:
            if change.aborted:
                return ConnectionLost("the peer aborted")
            return ConnectionLost("the peer does not answer, or breaks the rules")
        # The kernel tells no one-to-many socket why a set-up failed: nobody listens, or nobody answers until its last
        # attempt.
        profile = self.stack.profile
        attempts = profile.rto_initial * (profile.max_init_retransmissions + 1)
        if self.reactor.seconds() - association.begun < 0.9 * attempts:
            return ConnectionRefusedError(f"nobody listens at {association.peer}")
        return TimeoutError(f"{association.peer} does not answer")

    def _accepted(self, identifier: int, port: Port | None) -> Association | None:
        if port is None:
            return None
        hosts, peer_port = options.peer_addresses(port.socket, identifier)
        if not hosts:
            # It is gone already; its end is told next, of something that nobody knows.
            return None
        if self._closing:
            # A set-up that was under way when we stopped listening.
            abort = options.SNDINFO.pack(0, options.SCTP_ABORT, 0, 0, identifier)
            port.socket.sendmsg((), [(options.IPPROTO_SCTP, options.CMSG_SNDINFO, abort)])
            return None
        udp = 0
        if self.stack.encapsulation_port:
            udp = options.encapsulation_port(port.socket, identifier, hosts[0], peer_port)
        association = Association(self, TransportAddress(hosts, peer_port, udp), outbound=False, identifier=identifier)
        association.move(port)
        self.by_id[identifier] = association
        return association
