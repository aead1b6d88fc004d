"""A peer is to be dialled that has just dialled us: its TLS handshake is under way, and SCTP has one association of two
endpoints (RFC 9260 section 1.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectError
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.core.identity import Credentials
from rserpool.sctp.base import check_message, check_messages
from rserpool.sctp.interfaces import ISctpAssociation


class NotNeeded(ConnectError):
    """The peer has dialled us: whoever wants it has it, or its handshake has failed."""


@implementer(ISctpAssociation)
class Attempt:
    """What connecting returns then: it is never up, and lost as soon as the handshake is over, one way or another."""

    outbound = True
    established = False
    encapsulated = False
    credentials: Credentials = None
    buffered = 0
    smoothed_round_trip: float | None = None
    local_addresses: tuple[str, ...] = ()
    unconfirmed_addresses: tuple[str, ...] = ()

    def __init__(self, endpoint: Any, peer: TransportAddress) -> None:
        self.peer = peer
        self.peer_addresses = peer.hosts
        self._endpoint = endpoint
        self._over = False

    def send(self, data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        check_message(data, stream)

    def sendAll(self, several: Sequence[bytes], ppid: int = 0) -> None:
        check_messages(several)

    def early(self, data: bytes, ppid: int) -> bool:
        return False

    def after(self, call: Callable[[], object]) -> None:
        call()

    def bundle(self) -> None:
        """Nothing is sent."""

    def probe(self) -> None:
        """There is nothing to probe."""

    def abort(self) -> None:
        """It is wanted no more; what the peer has dialled goes on."""
        self._endpoint.reactor.callLater(0, self.end)

    close = abort

    def end(self) -> None:
        """The handshake is over."""
        if not self._over:
            self._over = True
            self._endpoint.attempted(self)
