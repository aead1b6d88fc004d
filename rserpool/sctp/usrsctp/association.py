"""One association of a usrsctp endpoint (RFC 9260 section 1.3)."""

from __future__ import annotations

import socket
from collections import deque
from errno import EAGAIN
from typing import TYPE_CHECKING

from twisted.internet.error import ConnectionAborted
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.addresses import TransportAddress
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, MAX_MESSAGE, SEND_LIMIT, check_message
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.usrsctp.library import (
    SCTP_EOF,
    SCTP_SENDV_SNDINFO,
    SCTP_UNORDERED,
    SNDINFO,
)
from rserpool.sctp.usrsctp.options import abort, demand_heartbeat, round_trip
from rserpool.sctp.usrsctp.packets import abort_with_tag
from rserpool.sctp.usrsctp.peers import Peer

if TYPE_CHECKING:
    from rserpool.sctp.usrsctp.endpoint import Endpoint

_log = Logger()
_FIRST_FRAGMENT = 2
_LAST_FRAGMENT = 1


@implementer(ISctpAssociation)
class Association:
    """See L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}.

    @ivar identifier: the library's number for it; 0 if the library does not know it.
    @ivar tag: our own verification tag in network order, known while we set the association up.
    @ivar untried: those hosts of the peer that were not dialled yet.
    """

    __slots__ = (
        "_closing", "_ended", "_fragments", "_lost", "_partial", "_paused", "_peer", "_queue", "_sndinfo", "_streams",
        "buffered", "endpoint", "established", "identifier", "local_addresses", "outbound", "peer", "peer_addresses",
        "tag", "untried",
    )  # fmt: skip

    def __init__(
        self, endpoint: Endpoint, peer: TransportAddress, remote: Peer | None, outbound: bool, identifier: int = 0
    ) -> None:
        self.endpoint = endpoint
        self.peer = peer
        self.peer_addresses = (remote.host,) if remote is not None else peer.hosts
        self.local_addresses = (remote.local,) if remote is not None else ()
        self.outbound = outbound
        self.established = False
        self.buffered = 0
        self.identifier = identifier
        self.tag = b""
        self.untried = list(peer.hosts) if outbound else []
        self._peer = remote
        self._queue: deque[tuple[bytes, int, int, bool]] = deque()
        self._sndinfo: dict[tuple[int, int, bool], bytes] = {}
        self._partial: dict[int, bytearray] = {}
        self._fragments: list[bytes] = []
        self._streams = 1
        self._paused = False
        self._closing = False
        # The library knows that no more is to be sent.
        self._ended = False
        self._lost = False
        endpoint.present[self] = None
        endpoint.engine.retain()
        if remote is not None:
            endpoint.engine.peers.hold(remote)

    def __repr__(self) -> str:
        return f"<SCTP association {'to' if self.outbound else 'from'} {self.peer} at {self.endpoint!r}>"

    # What users call.

    def send(self, data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        check_message(data, stream)
        if self._lost or self._closing:
            return
        if self.established and not self._queue and self._put(data, ppid, stream, unordered):
            return
        self._queue.append((data, ppid, stream, unordered))
        self.buffered += len(data)
        if self.established:
            self.endpoint.blocked[self] = None
        if self.buffered > SEND_LIMIT:
            _log.error("{peer} takes no more data: aborting", peer=self.peer)
            self.abort()
        elif self.buffered > HIGH_WATER and not self._paused:
            self._paused = True
            self.endpoint.tell("associationPaused", self)

    @property
    def smoothed_round_trip(self) -> float | None:
        endpoint = self.endpoint
        if not self.established or endpoint.socket is None:
            return None
        return round_trip(endpoint.engine.library, endpoint.socket, self.identifier)

    def probe(self) -> None:
        endpoint = self.endpoint
        if self.established and endpoint.socket is not None and self._peer is not None:
            library = endpoint.engine.library
            demand_heartbeat(library, endpoint.socket, self.peer.port, self._peer.handle, self.identifier)

    def close(self) -> None:
        if not self._lost and not self._closing:
            self._closing = True
            if self.established:
                self._fill()

    def abort(self) -> None:
        if self._lost:
            return
        endpoint = self.endpoint
        if self.identifier and endpoint.by_id.pop(self.identifier, None) is not None and endpoint.socket is not None:
            library = endpoint.engine.library
            if self.established:
                abort(library, endpoint.socket, self.identifier)
            elif self._peer is not None and self.tag:
                # The library aborts nothing that is not up: let it believe that the peer refuses.
                packet = abort_with_tag(library, self.peer.port, endpoint.port, self.tag)
                endpoint.engine.input(self._peer.handle, packet, len(packet), 0)
        failed = self._finish()
        endpoint.engine.reactor.callLater(0, self._report, failed, ConnectionAborted())

    # What the endpoint calls.

    def dialled(self, identifier: int, remote: Peer, tag: bytes) -> None:
        """An INIT has gone to one of the peer's hosts."""
        peers = self.endpoint.engine.peers
        peers.hold(remote)
        if self._peer is not None:
            peers.release(self._peer)
        self._peer = remote
        self.identifier = identifier
        self.tag = tag
        self.peer_addresses = (remote.host,)
        self.local_addresses = (remote.local,)

    def up(self, streams: int) -> None:
        """The association is established, with so many streams to send on."""
        if self._lost:
            return
        self._streams = streams
        self.established = True
        self.tag = b""
        self.endpoint.tell("associationUp", self)
        self.flush()

    def received(self, data: bytes, ppid: int, stream: int, unordered: bool, whole: bool) -> None:
        """A message has arrived, or a part of one."""
        if self._lost:
            return
        if not whole or stream in self._partial:
            partial = self._partial.setdefault(stream, bytearray())
            partial += data
            if len(partial) > MAX_MESSAGE:
                self._too_long()
                return
            if not whole:
                return
            del self._partial[stream]
            data = bytes(partial)
        elif len(data) > MAX_MESSAGE:
            self._too_long()
            return
        try:
            self.endpoint.message_received(self, data, ppid, stream, unordered)
        except Exception:
            _log.failure("{handler} failed", handler=self.endpoint.message_received)

    def failed(self, data: bytes, ppid: int, fragment: int) -> None:
        """A message could not be delivered, or a fragment of one."""
        if self._lost:
            return
        if fragment & _FIRST_FRAGMENT:
            self._fragments.clear()
        self._fragments.append(data)
        if fragment & _LAST_FRAGMENT:
            data = b"".join(self._fragments)
            self._fragments.clear()
            self.endpoint.tell("sendFailed", self, data, ppid)

    def shut_down(self) -> None:
        """The peer shuts down: it takes no more data."""
        self._closing = self._ended = True

    def flush(self) -> None:
        """Give the library what it has room for, and say so if that was what the handler waits for."""
        self._fill()
        if self._paused and self.buffered <= LOW_WATER and not self._lost:
            self._paused = False
            self.endpoint.tell("associationResumed", self)

    def lose(self, reason: Exception) -> None:
        """It is gone; the library knows."""
        if not self._lost:
            self._report(self._finish(), reason)

    # Parts.

    def _fill(self) -> None:
        """Give the library what it has room for; the last thing is the shutdown."""
        if self._lost or self._ended or not self.established:
            self.endpoint.blocked.pop(self, None)
            return
        queue = self._queue
        while queue:
            if not self._put(*queue[0]):
                break
            self.buffered -= len(queue.popleft()[0])
        if self._closing and not queue and self._control(SCTP_EOF):
            self._ended = True
            self.endpoint.no_delay()
        if queue or self._paused or (self._closing and not self._ended):
            self.endpoint.blocked[self] = None
        else:
            self.endpoint.blocked.pop(self, None)

    def _put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
        """Give one message to the library.

        @return: whether it took it.
        """
        key = (ppid, stream, unordered)
        sndinfo = self._sndinfo.get(key)
        if sndinfo is None:
            if len(self._sndinfo) > 64:
                self._sndinfo.clear()
            sndinfo = self._sndinfo[key] = SNDINFO.pack(
                # A peer may have fewer streams than we ask for.
                stream if stream < self._streams else 0,
                SCTP_UNORDERED if unordered else 0,
                socket.htonl(ppid),
                0,
                self.identifier,
            )
        endpoint = self.endpoint
        sent: int = endpoint.sendv(
            endpoint.socket, data, len(data), endpoint.null, 0, sndinfo, 16, SCTP_SENDV_SNDINFO, 0
        )
        return sent >= 0

    def _control(self, flag: int) -> bool:
        endpoint = self.endpoint
        sndinfo = SNDINFO.pack(0, flag, 0, 0, self.identifier)
        sent: int = endpoint.sendv(endpoint.socket, b"", 0, endpoint.null, 0, sndinfo, 16, SCTP_SENDV_SNDINFO, 0)
        return sent >= 0 or endpoint.engine.library.ffi.errno != EAGAIN

    def _too_long(self) -> None:
        _log.error("{peer} sends a message of more than {limit} bytes: aborting", peer=self.peer, limit=MAX_MESSAGE)
        self.abort()

    def _finish(self) -> list[tuple[bytes, int]]:
        """Nothing more goes in or out.

        @return: the messages that the library had not taken.
        """
        self._lost = True
        self.established = False
        failed = [(data, ppid) for data, ppid, _, _ in self._queue]
        self._queue.clear()
        self._partial.clear()
        self.buffered = 0
        self.endpoint.blocked.pop(self, None)
        return failed

    def _report(self, failed: list[tuple[bytes, int]], reason: Exception) -> None:
        endpoint = self.endpoint
        for data, ppid in failed:
            endpoint.tell("sendFailed", self, data, ppid)
        endpoint.tell("associationLost", self, Failure(reason))
        if self._peer is not None:
            endpoint.engine.peers.release(self._peer)
        endpoint.gone(self)
        endpoint.engine.release()
