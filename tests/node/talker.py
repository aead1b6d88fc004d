"""Somebody who speaks ASAP by hand with a registrar of a scope."""

from __future__ import annotations

from typing import Any

from rserpool.core import TransportAddress
from rserpool.core.wire import asap
from rserpool.sctp.base import SctpHandler
from rserpool.testing import Scope


class Talker(SctpHandler):
    """Sends what it likes, and collects the answers.

    @ivar data: what came.
    """

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.up = self.lost = False

    def associationUp(self, association: Any) -> None:
        self.up = True

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.data.append(data)

    def associationLost(self, association: Any, reason: Any) -> None:
        self.lost = True

    @property
    def messages(self) -> list[Any]:
        """The same, decoded."""
        return [asap.decode(data).message for data in self.data]

    @property
    def answers(self) -> list[Any]:
        """What came, keep-alives left out."""
        return [message for message in self.messages if not isinstance(message, asap.EndpointKeepAlive)]


def talk(scope: Scope, address: TransportAddress) -> tuple[Talker, Any]:
    """An association with whoever is there."""
    talker = Talker()
    association = scope.network.stack("10.9.9.9").open(0, talker).connect(address)
    scope.until(lambda: talker.up)
    return talker, association
