"""One association of a usrsctp endpoint (RFC 9260 section 1.3)."""

from __future__ import annotations

import socket
from errno import EAGAIN
from typing import TYPE_CHECKING

from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.association import BufferedAssociation
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


@implementer(ISctpAssociation)
class Association(BufferedAssociation):
    """See L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}.

    @ivar tag: our own verification tag in network order, known while we set the association up.
    @ivar untried: those hosts of the peer that were not dialled yet.
    """

    __slots__ = ("_peer", "_sndinfo", "endpoint", "local_addresses", "peer_addresses", "tag", "untried")

    def __init__(
        self, endpoint: Endpoint, peer: TransportAddress, remote: Peer | None, outbound: bool, identifier: int = 0
    ) -> None:
        super().__init__(endpoint, peer, outbound, identifier)
        self.endpoint = endpoint
        self.peer_addresses = (remote.host,) if remote is not None else peer.hosts
        self.local_addresses = (remote.local,) if remote is not None else ()
        self.tag = b""
        self.untried = list(peer.hosts) if outbound else []
        self._peer = remote
        self._sndinfo: dict[tuple[int, int, bool], bytes] = {}
        endpoint.present[self] = None
        endpoint.engine.retain()
        if remote is not None:
            endpoint.engine.peers.hold(remote)

    # What users call.

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
        self.tag = b""
        super().up(streams)

    def released(self) -> None:
        """The handler has been told that it is lost."""
        if self._peer is not None:
            self.endpoint.engine.peers.release(self._peer)

    # What BufferedAssociation calls.

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
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

    def put_end(self) -> bool:
        endpoint = self.endpoint
        sndinfo = SNDINFO.pack(0, SCTP_EOF, 0, 0, self.identifier)
        sent: int = endpoint.sendv(endpoint.socket, b"", 0, endpoint.null, 0, sndinfo, 16, SCTP_SENDV_SNDINFO, 0)
        done = sent >= 0 or endpoint.engine.library.ffi.errno != EAGAIN
        if done:
            endpoint.no_delay()
        return done

    def cut(self) -> None:
        endpoint = self.endpoint
        if self.identifier and endpoint.by_id.pop(self.identifier, None) is not None and endpoint.socket is not None:
            library = endpoint.engine.library
            if self.established:
                abort(library, endpoint.socket, self.identifier)
            elif self._peer is not None and self.tag:
                # The library aborts nothing that is not up: let it believe that the peer refuses.
                packet = abort_with_tag(library, self.peer.port, endpoint.port, self.tag)
                endpoint.engine.input(self._peer.handle, packet, len(packet), 0)
