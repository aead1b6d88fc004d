"""A peer of a registrar that speaks SCTP by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler


class Peer(SctpHandler):
    """Speaks SCTP with a registrar, and says what it likes."""

    def __init__(self) -> None:
        self.up: Deferred[ISctpAssociation] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self.messages: list[Any] = []
        self._awaited: list[tuple[int, Deferred[Any]]] = []

    def associationUp(self, association: ISctpAssociation) -> None:
        self.up.callback(association)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if ppid == PPID_ASAP:
            message = asap.decode(data).message
            if isinstance(message, asap.EndpointKeepAlive):
                acknowledgement = asap.EndpointKeepAliveAck(message.handle, message.identifier or 0)
                association.send(asap.encode(acknowledgement), PPID_ASAP)
                return
            self.messages.append(message)
        for wanted, awaited in list(self._awaited):
            if len(self.messages) >= wanted:
                self._awaited.remove((wanted, awaited))
                awaited.callback(self.messages[wanted - 1])

    def associationLost(self, association: ISctpAssociation, reason: Any) -> None:
        self.lost.callback(None)

    def message(self, number: int) -> Deferred[Any]:
        """The message of this number, from 1."""
        awaited: Deferred[Any] = Deferred()
        if len(self.messages) >= number:
            awaited.callback(self.messages[number - 1])
        else:
            self._awaited.append((number, awaited))
        return awaited


async def peer_of(test: TestCase, where: TransportAddress) -> tuple[Peer, ISctpAssociation]:
    """An association with a registrar, for the time of a test."""
    stack = open_stack(reactor, profile=DEFAULT)
    test.addCleanup(stack.close)
    peer = Peer()
    stack.open(0, peer, ("127.0.0.1",)).connect(where)
    return peer, await peer.up
