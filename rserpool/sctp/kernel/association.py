"""One association of a kernel endpoint (RFC 9260 section 1.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.sockets import KernelSocket
from rserpool.sctp.sockets import SocketAssociation, SocketEndpoint

_log = Logger()
_MORE = 0x8000
"""MSG_MORE of Linux."""


@implementer(ISctpAssociation)
class KernelAssociation(SocketAssociation[KernelSocket]):
    """See L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}.

    @ivar socket: another one once it has been peeled off.
    @ivar begun: when it was dialled, in seconds of the reactor.
    """

    __slots__ = ("_local_addresses", "_paths", "_peer_addresses", "_sendmsg", "begun")

    def __init__(
        self,
        endpoint: SocketEndpoint[Any, KernelSocket],
        socket: KernelSocket,
        peer: TransportAddress,
        outbound: bool,
        identifier: int = 0,
    ) -> None:
        super().__init__(endpoint, socket, peer, outbound, identifier)
        self.begun = endpoint.reactor.seconds()
        self._peer_addresses = peer.hosts
        # So many the kernel believes in as yet.
        self._paths = 1
        self._local_addresses: tuple[str, ...] | None = None
        self._sendmsg: Callable[..., int] = socket.socket.sendmsg

    # What users call.

    @property
    def encapsulated(self) -> bool:  # type: ignore[override]
        return bool(self.peer.encapsulation or (self.outbound and self.socket.settings.encap_port))

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        return self._peer_addresses

    @property
    def unconfirmed_addresses(self) -> tuple[str, ...]:  # type: ignore[override]
        if not self.established or len(self._peer_addresses) < 2:
            return ()
        return options.unconfirmed(self.socket.socket, self.identifier, self._peer_addresses, self.peer.port)

    @property
    def local_addresses(self) -> tuple[str, ...]:
        # Few ask, and each association that is accepted would cost a call.
        if self._local_addresses is None:
            if not self.established:
                return ()
            self._local_addresses = options.local_addresses(self.socket.socket, self.identifier)[0]
        return self._local_addresses

    @property
    def smoothed_round_trip(self) -> float | None:
        if not self.established:
            return None
        path = options.primary_path(self.socket.socket, self.identifier)
        return None if path is None else path[0] * self.socket.tick(self.identifier)

    def probe(self) -> None:
        # Linux counts unanswered heartbeats of one path as errors of the association: several paths check themselves.
        if self.established and len(self._peer_addresses) == 1:
            options.demand_heartbeat(self.socket.socket, self.identifier, self._peer_addresses[0], self.peer.port)

    # What the endpoint calls.

    def forget_local_addresses(self) -> None:
        """They have changed; who asks for them asks the kernel anew."""
        self._local_addresses = None

    def move(self, socket: KernelSocket) -> None:
        """It lives on this socket now."""
        self.socket = socket
        self._sendmsg = socket.socket.sendmsg

    def addresses_changed(self) -> None:
        """An address was added or removed, at either end."""
        self._local_addresses = None
        found, _ = options.peer_addresses(self.socket.socket, self.identifier)
        if found:
            self._peer_addresses = found
        self._set_paths()

    def _set_paths(self) -> None:
        # What is not answered on one path counts against the association, however well another one works: it may have
        # as many errors as all its paths together (RFC 9260 section 8.1).
        paths, limit = len(self._peer_addresses), self.endpoint.profile.association_max_retransmissions
        if paths != self._paths and not self.endpoint.adopted:
            options.set_retransmissions(self.socket.socket, limit * max(1, paths), self.identifier)
        self._paths = paths

    def set_up(self, streams: int) -> None:
        if self.outbound:
            self.addresses_changed()
        else:
            self._set_paths()
        super().set_up(streams)

    # What goes out.

    def put_all(self, several: Sequence[bytes], ppid: int) -> int:
        """The kernel makes packets that are full of those behind which more follow at once."""
        last = len(several) - 1
        for taken, data in enumerate(several):
            if not self.put(data, ppid, 0, False, _MORE if taken < last else 0):
                return taken
        return last + 1

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool, flags: int = 0) -> bool:
        key = (ppid, stream, unordered)
        ancillary = self._prepared.get(key) or self.prepare(key)
        try:
            self._sendmsg((data,), ancillary, flags)
        except BlockingIOError:
            return False
        except OSError as error:
            # It is gone, and the notification of that is on its way to us: what is queued is then told as failed.
            _log.debug("{association} takes no more: {error}", association=self, error=error)
            return False
        return True

    def cut(self) -> None:
        if self.endpoint.forget(self):
            self.socket.control(self.identifier, self.socket.ABORT)
