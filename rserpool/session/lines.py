"""The associations and connections over which single messages go (RFC 5352 section 6.5.1, steps C to E)."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol, TypeAlias

from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.frozen import frozen
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.one_to_one.transport import SctpProtocol


@frozen
class PoolElementHandle:
    """An element of a pool, as messages are sent to it and come from it (RFC 5352 sections 1.1 and 6.5.3).

    @ivar pool: the pool handle.
    @ivar element: the element as a registrar told of it, with its transport.
    """

    pool: bytes
    element: PoolElementParameter


Peer: TypeAlias = PoolElementHandle | TransportAddress
"""Who a message came from, or went to."""


@frozen
class Message:
    """What is sent.

    @ivar again: whether it goes to another element if it is not delivered.
    @ivar broke: over how many elements it was not.
    """

    data: bytes
    ppid: int = 0
    stream: int = 0
    unordered: bool = False
    again: bool = False
    broke: int = 0


RECENT = 100
"""So many messages of an association are remembered, to send them again with their options."""


class LineOwner(Protocol):
    """Whom a line tells: its L{Sender<rserpool.session.primitives.Sender>}."""

    def up(self, line: Line) -> None:
        """It can be used."""

    def came(self, line: Line, data: bytes) -> None:
        """A message came; over TCP a piece of the stream."""

    def failed(self, line: Line, message: Message) -> None:
        """A message was perhaps not delivered."""

    def gone(self, line: Line) -> None:
        """It cannot be used any more."""


class Line:
    """One association or connection of a L{Sender<rserpool.session.primitives.Sender>}.

    @ivar peer: a L{PoolElementHandle}, or the L{TransportAddress} that was dialled.
    """

    transport: Any = None

    def __init__(self, sender: LineOwner, address: TransportAddress, peer: Peer) -> None:
        self.sender = sender
        self.address = address
        self.peer = peer

    def say(self, message: Message) -> None:
        """Send a message.

        @raise ValueError: if it is none that the transport can send.
        """
        raise NotImplementedError


class AssociationLine(Line, SctpProtocol):
    """Over SCTP."""

    def connectionMade(self) -> None:
        self.sender.up(self)

    def __init__(self, sender: LineOwner, address: TransportAddress, peer: Peer) -> None:
        super().__init__(sender, address, peer)
        self._recent: deque[Message] = deque(maxlen=RECENT)

    def say(self, message: Message) -> None:
        if message.ppid == PPID_ASAP:
            raise ValueError(f"PPID {PPID_ASAP} is that of the control channel")
        self.transport.send(message.data, message.ppid, message.stream, message.unordered)
        self._recent.append(message)

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        if ppid != PPID_ASAP:
            self.sender.came(self, data)

    def sendFailed(self, data: bytes, ppid: int) -> None:
        self.sender.gone(self)
        # SCTP gives back the bytes alone. What is so old that it was forgotten is reported, and not sent again.
        found = next((each for each in self._recent if each.data == data and each.ppid == ppid), None)
        if found is None:
            found = Message(data, ppid)
        else:
            self._recent.remove(found)
        self.sender.failed(self, found)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.sender.gone(self)


class StreamLine(Line, TwistedProtocol):
    """Over TCP."""

    def connectionMade(self) -> None:
        self.sender.up(self)

    def say(self, message: Message) -> None:
        self.transport.write(message.data)

    def dataReceived(self, data: bytes) -> None:
        self.sender.came(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.sender.gone(self)
