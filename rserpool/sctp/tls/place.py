"""What an association over which TLS is spoken needs of its endpoint, and how its handshake fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.error import ConnectError

from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.tls.channel import TlsChannel

GOODBYE: Final = 1.0
"""Seconds that a peer may take to hear why its handshake failed."""


class HandshakeFailed(ConnectError):
    """There is an association with the peer, and nothing can be said over it: the text says why."""


class Place(Protocol):
    """The endpoint of an association."""

    @property
    def reactor(self) -> Any:
        """Whose clock it is."""

    @property
    def handler(self) -> ISctpHandler:
        """Who hears of messages."""

    @property
    def channel(self) -> TlsChannel:
        """What TLS is like here."""

    @property
    def ready(self) -> Any:
        """The next hello."""

    def opened(self) -> None:
        """An association that we dialled is up."""

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""

    def over(self, association: Any) -> None:
        """Its handshake is over, one way or another."""

    def has_time_for(self, association: Any) -> bool:
        """Whether its handshake is begun at once; else it goes on soon."""

    def failed(self, association: Any, why: str) -> None:
        """TLS with this peer has failed."""


class Above:
    """What an association has from the one beneath it.

    @ivar inner: the association beneath it.
    """

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    @property
    def encapsulated(self) -> bool:
        return bool(self.inner.encapsulated)

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        return tuple(self.inner.peer_addresses)

    @property
    def unconfirmed_addresses(self) -> tuple[str, ...]:
        return tuple(self.inner.unconfirmed_addresses)

    @property
    def local_addresses(self) -> tuple[str, ...]:
        return tuple(self.inner.local_addresses)

    def early(self, data: bytes, ppid: int) -> bool:
        # What is said within TLS waits for the handshake.
        return False

    def after(self, call: Callable[[], object]) -> None:
        self.inner.after(call)

    def bundle(self) -> None:
        self.inner.bundle()

    def probe(self) -> None:
        self.inner.probe()
