"""A link over SCTP: data and control channel by payload protocol identifier (RFC 5352 sections 3.8 and 5)."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError, WireError
from rserpool.core.session.traits import Traits
from rserpool.core.wire import frames
from rserpool.sctp.base import MAX_MESSAGE, PIECE, PPID_ASAP, SEND_LIMIT
from rserpool.sctp.interfaces import ISctpProtocol
from rserpool.sctp.outgoing import Outgoing
from rserpool.session.links import Link, LinkOwner

_KINDS = {
    PPID_ASAP: frames.CONTROL,
    frames.PPID_REQUEST: frames.REQUEST,
    frames.PPID_REPEATED: frames.REPEATED,
    frames.PPID_REPLY: frames.REPLY,
    frames.PPID_GOODBYE: frames.GOODBYE,
}


def checked_ppid(ppid: int) -> int:
    """A payload protocol identifier for the messages of an application.

    @raise ConfigurationError: if it is that of ASAP, or one of session framing.
    """
    if ppid in _KINDS or not 0 <= ppid < 2**32:
        raise ConfigurationError(f"PPID {ppid} is not for messages of applications")
    return ppid


@implementer(ISctpProtocol)
class SctpLink(Link):
    """Messages with PPID 11 are the control channel; all others are data (5: they MUST NOT have this PPID).

    All goes over stream 0 in order: a cookie that was sent before an answer is there before it.

    @param ppid: the payload protocol identifier of the application's messages.
    @param control: whether there is a control channel (transport use DATA_PLUS_CONTROL).
    @param numbered: whether the peer knows the requests of session framing.
    """

    # An SCTP message has at least one byte.
    farewell = b"\0"

    def __init__(self, owner: LinkOwner, ppid: int = 0, *, control: bool = True, numbered: bool = False) -> None:
        super().__init__(owner)
        self._ppids = {frames.DATA: ppid, **{kind: number for number, kind in _KINDS.items()}}
        self.traits = Traits(control, numbered, True)
        self._reading = True
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        # Of all sessions of a port, where there is one.
        self.unread = Outgoing()
        self._lost: Failure | None = None

    # ISctpProtocol

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.registerProducer(self, True)
        if self.over:
            self.abort()
        else:
            self.owner.link_up(self, None)

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        kind = _KINDS.get(ppid, frames.DATA)
        if not self._reading:
            self._waiting.append((kind, data))
            self._waiting_bytes += len(data)
            held = max(self._waiting_bytes, PIECE * len(self._waiting))
            glutton = self if held > SEND_LIMIT else self.unread.holds(self, held)
            if glutton is not None:
                glutton.give_up()
        elif not self.over:
            self._heard(kind, data)

    def give_up(self) -> None:
        """Too much waits to be read."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self.unread.holds(self, 0)
        self._broken(WireError("it sends more than anybody reads"))

    def sendFailed(self, data: bytes, ppid: int) -> None:
        """The association is lost soon."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._waiting and not self.over:
            self._lost = reason
        else:
            self.unread.holds(self, 0)
            super().connectionLost(reason)

    # Link

    def say(self, kind: int, data: bytes) -> None:
        if not 0 < len(data) <= MAX_MESSAGE:
            raise ValueError(f"a message of a session over SCTP holds 1 to {MAX_MESSAGE - 4} bytes, not {len(data)}")
        self.transport.send(data, self._ppids[kind])

    def probe(self) -> None:
        if self.transport is not None:
            self.transport.probe()

    def stop_reading(self) -> None:
        self._reading = False

    def start_reading(self) -> None:
        self._reading = True
        while self._waiting and self._reading and not self.over:
            kind, data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self.unread.holds(self, max(self._waiting_bytes, PIECE * len(self._waiting)))
            self._heard(kind, data)
        if self._lost is not None and not self._waiting:
            reason, self._lost = self._lost, None
            self.connectionLost(reason)

    def _misplaced(self, kind: int, body: bytes) -> str:
        return f"a request or answer has {len(body)} bytes"
