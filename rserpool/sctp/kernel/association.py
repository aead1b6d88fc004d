"""One association of a kernel endpoint (RFC 9260 section 1.3)."""

from __future__ import annotations

from collections.abc import Callable
from socket import htonl
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.association import BufferedAssociation
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.options import CMSG_SNDINFO, IPPROTO_SCTP, SCTP_ABORT, SCTP_EOF, SCTP_UNORDERED, SNDINFO

if TYPE_CHECKING:
    from rserpool.sctp.kernel.endpoint import Endpoint
    from rserpool.sctp.kernel.port import Port

_log = Logger()


@implementer(ISctpAssociation)
class Association(BufferedAssociation):
    """See L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}.

    @ivar port: the socket that it lives on; another one once it has been peeled off.
    @ivar begun: when it was dialled, in seconds of the reactor.
    """

    __slots__ = (
        "_ancillary", "_local_addresses", "_paths", "_peer_addresses", "_sendmsg", "begun", "endpoint", "port",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, peer: TransportAddress, outbound: bool, identifier: int = 0) -> None:
        super().__init__(endpoint, peer, outbound, identifier)
        self.endpoint = endpoint
        self.begun = endpoint.reactor.seconds()
        self._peer_addresses = peer.hosts
        # So many the kernel believes in as yet.
        self._paths = 1
        self._local_addresses: tuple[str, ...] | None = None
        self._ancillary: dict[tuple[int, int, bool], list[tuple[int, int, bytes]]] = {}
        self.port: Port
        self._sendmsg: Callable[..., int]
        assert endpoint.port_of_all is not None
        self.move(endpoint.port_of_all)
        endpoint.present[self] = None

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        return self._peer_addresses

    @property
    def local_addresses(self) -> tuple[str, ...]:
        # Few ask, and each association that is accepted would cost a call.
        if self._local_addresses is None:
            if not self.established:
                return ()
            self._local_addresses = options.local_addresses(self.port.socket, self.identifier)[0]
        return self._local_addresses

    @property
    def smoothed_round_trip(self) -> float | None:
        """Seconds to the peer and back on the primary path (RFC 9260 section 6.3.1); None if that is not known."""
        if not self.established:
            return None
        path = options.primary_path(self.port.socket, self.identifier)
        return None if path is None else path[0] * self.endpoint.stack.tick(self)

    def forget_local_addresses(self) -> None:
        """They have changed; who asks for them asks the kernel anew."""
        self._local_addresses = None

    def move(self, port: Port) -> None:
        """It lives on this socket now."""
        self.port = port
        self._sendmsg = port.socket.sendmsg

    def addresses_changed(self) -> None:
        """An address was added or removed, at either end."""
        self._local_addresses = None
        found, _ = options.peer_addresses(self.port.socket, self.identifier)
        if found:
            self._peer_addresses = found
        self._set_paths()

    def _set_paths(self) -> None:
        paths = len(self._peer_addresses)
        if paths != self._paths:
            self._paths = paths
            options.set_paths(self.port.socket, self.endpoint.stack.profile, self.identifier, paths)

    def up(self, streams: int) -> None:
        if self.outbound:
            self.addresses_changed()
        else:
            self._set_paths()
        super().up(streams)

    def probe(self) -> None:
        # Linux counts unanswered heartbeats of one path as errors of the association: several paths check themselves.
        if self.established and len(self._peer_addresses) == 1:
            options.demand_heartbeat(self.port.socket, self.identifier, self._peer_addresses[0], self.peer.port)

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
        key = (ppid, stream, unordered)
        ancillary = self._ancillary.get(key) or self._prepare(key)
        try:
            self._sendmsg((data,), ancillary)
        except BlockingIOError:
            return False
        except OSError as error:
            # It is gone, and the notification of that is on its way to us: what is queued is then told as failed.
            _log.debug("{association} takes no more: {error}", association=self, error=error)
            return False
        return True

    def _prepare(self, key: tuple[int, int, bool]) -> list[tuple[int, int, bytes]]:
        """What goes beside each message of this kind."""
        if len(self._ancillary) > 64:
            self._ancillary.clear()
        ppid, stream, unordered = key
        # A peer may have fewer streams than we ask for.
        stream = stream if stream < self._streams else 0
        flags = SCTP_UNORDERED if unordered else 0
        ancillary = self._ancillary[key] = self._beside(stream, flags, ppid)
        return ancillary

    def _beside(self, stream: int, flags: int, ppid: int = 0) -> list[tuple[int, int, bytes]]:
        return [(IPPROTO_SCTP, CMSG_SNDINFO, SNDINFO.pack(stream, flags, htonl(ppid), 0, self.identifier))]

    def put_end(self) -> bool:
        return self._control(SCTP_EOF)

    def cut(self) -> None:
        if self.identifier and self.endpoint.by_id.pop(self.identifier, None) is not None:
            self._control(SCTP_ABORT)

    def _control(self, flag: int) -> bool:
        nothing: tuple[Any, ...] = ()
        try:
            self._sendmsg(nothing, self._beside(0, flag))
        except BlockingIOError:
            return False
        except OSError as error:
            _log.debug("{association} is gone already: {error}", association=self, error=error)
        return True
