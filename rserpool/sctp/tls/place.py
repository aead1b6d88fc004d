"""What an association over which TLS is spoken needs of its endpoint."""

from __future__ import annotations

from typing import Any, Protocol

from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.tls.channel import TlsChannel


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

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""

    def over(self, association: Any) -> None:
        """Its handshake is over, one way or another."""

    def failed(self, association: Any, why: str) -> None:
        """TLS with this peer has failed."""
