"""One SCTP port with any number of associations: a one-to-many socket of libusrsctp (RFC 6458 section 3)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from errno import EADDRINUSE, EISCONN
from random import randrange
from socket import ntohl
from typing import Any

from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, ConnectionRefusedError, TimeoutError
from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress
from rserpool.core.profiles import Profile
from rserpool.sctp.base import tell
from rserpool.sctp.ending import Ending
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpHandler
from rserpool.sctp.usrsctp.association import Association
from rserpool.sctp.usrsctp.engine import Engine, family_of
from rserpool.sctp.usrsctp.library import (
    AF_CONN,
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    RCVINFO,
    SCTP_UNORDERED,
    SOCK_SEQPACKET,
)
from rserpool.sctp.usrsctp.options import abort, bind, close, configure, conn_address, set_heartbeat, set_no_delay
from rserpool.sctp.usrsctp.packets import initiate_tag
from rserpool.sctp.usrsctp.peers import Peer
from rserpool.sctp.usrsctp.udp import UdpSocket, routed

_log = Logger()
_MSG_EOR = int(socket.MSG_EOR)
"""As an integer: an enum's operators are slow."""
_EVENT_READ = 1

_ASSOC_CHANGE = 0x0001
_PEER_ADDR_CHANGE = 0x0002
_SHUTDOWN_EVENT = 0x0005
_SEND_FAILED_EVENT = 0x000E

_COMM_UP = 1
_COMM_LOST = 2
_RESTART = 3
_SHUTDOWN_COMP = 4
_CANT_STR_ASSOC = 5
_ADDR_AVAILABLE = 1
_ADDR_UNREACHABLE = 2

# RFC 6458 section 6.1; all begin with type, flags and length.
_NOTIFICATION = struct.Struct("=HHI")
_CHANGE = struct.Struct("=HHIHHHHI")
_ADDRESS = struct.Struct("=HHI128xIII4x")
_SHUTDOWN = struct.Struct("=HHII")
_FAILED = struct.Struct("=HHIIHHIIII")


@implementer(ISctpEndpoint)
class Endpoint(Ending):
    """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}.

    @ivar sockets: the UDP sockets through which peers may reach this endpoint.
    """

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        port: int,
        handler: ISctpHandler,
        hosts: tuple[str, ...],
        sockets: tuple[UdpSocket, ...],
        closed: Callable[[Endpoint], None],
    ) -> None:
        super().__init__()
        self.engine = engine
        self.profile = profile
        self.port = port
        self.handler = handler
        self.message_received = handler.messageReceived
        self.hosts = hosts
        self.sockets = sockets
        self.present: dict[Association, None] = {}
        self.by_id: dict[int, Association] = {}
        self.blocked: dict[Association, None] = {}
        self.socket: Any = None
        self.sendv = engine.library.lib.usrsctp_sendv
        self.null = engine.library.ffi.NULL
        self._on_closed = closed
        self._draining = False

    @property
    def associations(self) -> int:
        return len(self.present)

    def __repr__(self) -> str:
        return f"<SCTP endpoint {','.join(self.hosts)}:{self.port}>"

    def open(self, listening: bool) -> None:
        """Make the socket.

        @raise OSError: if the port is taken.
        """
        library = self.engine.library
        ffi, lib = library.ffi, library.lib
        so = lib.usrsctp_socket(AF_CONN, SOCK_SEQPACKET, IPPROTO_SCTP, ffi.NULL, ffi.NULL, 0, ffi.NULL)
        if so == ffi.NULL:
            raise OSError(ffi.errno, "libusrsctp opens no socket")
        self.socket = so
        try:
            lib.usrsctp_set_non_blocking(so, 1)
            configure(library, so, self.profile)
            self._bind()
            if listening and lib.usrsctp_listen(so, 1):
                raise OSError(ffi.errno, "libusrsctp does not listen")
        except BaseException:
            self.socket = None
            lib.usrsctp_close(so)
            raise
        self.engine.endpoints[self.port] = self
        if self.profile.icmp:
            for udp in self.sockets:
                udp.watch_errors()

    def _bind(self) -> None:
        wanted = self.port
        for _ in range(1 if wanted else 100):
            self.port = wanted or randrange(32768, 61000)
            if self.port not in self.engine.endpoints and bind(self.engine.library, self.socket, self.port):
                return
        raise OSError(EADDRINUSE, f"SCTP port {self.port} is taken in this process")

    # What users call.

    def connect(self, peer: TransportAddress) -> Association:
        association = Association(self, peer, None, outbound=True)
        if self._closing:
            association.abort()
        elif (failure := self._dial(association)) is not None:
            self.engine.reactor.callLater(0, association.lose, failure)
        return association

    def _dial(self, association: Association) -> Exception | None:
        """Send an INIT to the next of the peer's hosts that was not tried yet; here an association has only one path.

        @return: why that was not possible.
        """
        engine, library = self.engine, self.engine.library
        peer = association.peer
        failure: Exception = TimeoutError(f"none of {', '.join(peer.hosts)} can be reached from {self!r}")
        while association.untried:
            host = association.untried.pop(0)
            remote = self._route(host, peer.encapsulation or ENCAPSULATION_PORT)
            if remote is None:
                continue
            to = conn_address(library, peer.port, remote.handle)
            engine.sent = []
            refused = library.lib.usrsctp_connect(self.socket, to, library.ffi.sizeof(to[0]))
            sent, engine.sent = engine.sent, None
            identifier = 0 if refused else library.lib.usrsctp_getassocid(self.socket, to)
            if identifier:
                self.by_id[identifier] = association
                association.dialled(identifier, remote, next(filter(None, map(initiate_tag, sent)), b""))
                return None
            failure = ConnectError(EISCONN, f"{self!r} has an association with {peer} already")
        return failure

    def _route(self, host: str, port: int) -> Peer | None:
        """The peer with this address, through the best of our UDP sockets."""
        candidates = [udp for udp in self.sockets if udp.family == family_of(host)]
        if len(candidates) > 1:
            own = routed(host)
            candidates.sort(key=lambda udp: udp.host != own)
        for udp in candidates:
            try:
                return self.engine.peers.find(udp, udp.address(host, port))
            except OSError:
                continue
        return None

    def setHeartbeat(self, seconds: float) -> None:
        if self.socket is not None:
            for identifier in (0, *self.by_id):
                set_heartbeat(self.engine.library, self.socket, self.profile, seconds, identifier)

    def changeHosts(self, hosts: tuple[str, ...]) -> bool:
        # An association over UDP has one address at each end.
        return False

    # What associations call.

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""
        tell(_log, getattr(self.handler, method), *arguments)

    def no_delay(self) -> None:
        """Switch Nagle's algorithm off again: a shutdown with data under way switches it on for the whole socket."""
        set_no_delay(self.engine.library, self.socket)

    def later(self, call: Callable[..., object], *arguments: object) -> None:
        """Call this once the present call has returned."""
        self.engine.reactor.callLater(0, call, *arguments)

    def waits(self, association: Any, waiting: bool) -> None:
        """Whether an association waits for room."""
        if waiting:
            self.blocked[association] = None
        else:
            self.blocked.pop(association, None)

    def gone(self, association: Association) -> None:
        """The handler has been told that the association is lost."""
        association.released()
        del self.present[association]
        if self._closing and not self.present:
            self._free()
        self.engine.release()

    def _accept_no_more(self) -> None:
        self.engine.library.lib.usrsctp_listen(self.socket, 0)

    def _free(self) -> None:
        if self.socket is not None:
            so, self.socket = self.socket, None
            close(self.engine.library, so)
            del self.engine.endpoints[self.port]
            self.engine.linger()
            self._on_closed(self)
        if not self.present:
            self._stopped()

    # What the library has for us.

    def drain(self) -> None:
        """Read all messages and notifications, then send what waited for room."""
        if self._draining:
            return
        self._draining = True
        try:
            self._drain()
        except Exception:
            _log.failure("reading from {endpoint} failed", endpoint=self)
        finally:
            self._draining = False

    def _drain(self) -> None:
        engine = self.engine
        lib = engine.library.lib
        events, receive = lib.usrsctp_get_events, lib.usrsctp_recvv
        null = engine.library.ffi.NULL
        message, view, size = engine.message, engine.message_view, len(engine.message_view)
        rcvinfo, length, infotype, flags = engine.rcvinfo, engine.rcvinfo_length, engine.infotype, engine.flags
        by_id = self.by_id
        while (so := self.socket) is not None and events(so) & _EVENT_READ:
            flags[0] = 0
            length[0] = 28
            count = receive(so, message, size, null, null, rcvinfo, length, infotype, flags)
            if count < 0:
                break
            data = view[:count].tobytes()
            seen = flags[0]
            if seen & MSG_NOTIFICATION:
                self._notified(data)
                continue
            stream, _, bits, ppid, _, _, _, identifier = RCVINFO.unpack_from(engine.rcvinfo_bytes)
            association = by_id.get(identifier)
            if association is not None:
                association.received(data, ntohl(ppid), stream, bits & SCTP_UNORDERED != 0, seen & _MSG_EOR != 0)
        if self.blocked:
            for association in list(self.blocked):
                association.flush()

    def _notified(self, data: bytes) -> None:
        if len(data) < _NOTIFICATION.size:
            return
        kind = _NOTIFICATION.unpack_from(data)[0]
        if kind == _ASSOC_CHANGE and len(data) >= _CHANGE.size:
            _, _, _, state, _, streams, _, identifier = _CHANGE.unpack_from(data)
            self._changed(state, identifier, streams, by_peer=len(data) > _CHANGE.size)
        elif kind == _SEND_FAILED_EVENT and len(data) >= _FAILED.size:
            _, _, _, _, _, fragment, ppid, _, _, identifier = _FAILED.unpack_from(data)
            if association := self.by_id.get(identifier):
                association.failed(data[_FAILED.size :], ntohl(ppid), fragment)
        elif kind == _PEER_ADDR_CHANGE and len(data) >= _ADDRESS.size:
            _, _, _, state, _, identifier = _ADDRESS.unpack_from(data)
            association = self.by_id.get(identifier)
            if association is not None and state in (_ADDR_AVAILABLE, _ADDR_UNREACHABLE):
                self.tell("addressChanged", association, association.peer_addresses[0], state == _ADDR_AVAILABLE)
        elif kind == _SHUTDOWN_EVENT and len(data) >= _SHUTDOWN.size:
            if association := self.by_id.get(_SHUTDOWN.unpack_from(data)[3]):
                association.shut_down()

    def _changed(self, state: int, identifier: int, streams: int, by_peer: bool) -> None:
        association = self.by_id.get(identifier)
        if state == _RESTART and association is not None:
            # The peer has begun anew (RFC 9260 section 5.2): for us the old association is gone.
            del self.by_id[identifier]
            association.lose(ConnectionLost("the peer has restarted"))
            association = None
            if self.socket is None:
                return
        if state in (_COMM_UP, _RESTART):
            if association is None:
                association = self._accepted(identifier)
            if association is not None:
                association.up(streams)
        elif association is not None:
            del self.by_id[identifier]
            if state == _SHUTDOWN_COMP:
                association.lose(ConnectionDone())
            elif state == _CANT_STR_ASSOC and self._dial(association) is not None:
                # An ABORT from the peer comes with its chunk; without one, nobody answered.
                refused = ConnectionRefusedError(f"nobody listens at {association.peer}")
                association.lose(refused if by_peer else TimeoutError(f"{association.peer} does not answer"))
            elif state == _COMM_LOST:
                association.lose(
                    ConnectionLost("the peer aborted" if by_peer else "the peer does not answer, or breaks the rules")
                )

    def _accepted(self, identifier: int) -> Association | None:
        library = self.engine.library
        addresses = library.ffi.new("struct sockaddr_conn **")
        if library.lib.usrsctp_getpaddrs(self.socket, identifier, addresses) <= 0:
            return None
        handle, port = addresses[0].sconn_addr, socket.ntohs(addresses[0].sconn_port)
        library.lib.usrsctp_freepaddrs(addresses[0])
        remote: Peer | None = self.engine.peers.by_handle.get(handle)
        if remote is None or self._closing:
            # A set-up that was under way when we stopped listening.
            abort(library, self.socket, identifier)
            return None
        association = Association(
            self, TransportAddress((remote.host,), port, remote.port), remote, outbound=False, identifier=identifier
        )
        self.by_id[identifier] = association
        return association
