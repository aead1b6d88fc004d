"""A link over SCTP: data and control channel by payload protocol identifier (RFC 5352 sections 3.8 and 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError, WireError
from rserpool.core.session.traits import Traits
from rserpool.core.wire import asap
from rserpool.core.wire.frames import NUMBER, PPID_GOODBYE, PPID_REPEATED, PPID_REPLY, PPID_REQUEST
from rserpool.sctp.base import MAX_MESSAGE, PPID_ASAP, SEND_LIMIT
from rserpool.sctp.interfaces import ISctpProtocol
from rserpool.session.links import Link, Owner

_pack = NUMBER.pack
_number = NUMBER.unpack_from
_NUMBERED = (PPID_REQUEST, PPID_REPEATED, PPID_REPLY)


def checked_ppid(ppid: int) -> int:
    """A payload protocol identifier for the messages of an application.

    @raise ConfigurationError: if it is that of ASAP, or one of session framing.
    """
    if ppid == PPID_ASAP or ppid in _NUMBERED or ppid == PPID_GOODBYE or not 0 <= ppid < 2**32:
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

    def __init__(self, owner: Owner, ppid: int = 0, *, control: bool = True, numbered: bool = False) -> None:
        super().__init__(owner)
        self.ppid = ppid
        self.traits = Traits(control, numbered, True)
        self._reading = True
        self._waiting: list[tuple[bytes, int]] = []
        self._waiting_bytes = 0
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
        if self._reading:
            self._take(data, ppid)
            return
        self._waiting.append((data, ppid))
        self._waiting_bytes += len(data)
        if self._waiting_bytes > SEND_LIMIT:
            self._broken(WireError("it sends more than anybody reads"))

    def sendFailed(self, data: bytes, ppid: int) -> None:
        """The association is lost soon."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._waiting and not self.over:
            self._lost = reason
            return
        over, self.over = self.over, True
        if not over:
            self.owner.link_lost(self, reason)

    # Link

    def send_data(self, data: bytes) -> None:
        self._send(data, self.ppid)

    def send_request(self, number: int, data: bytes, repeated: bool) -> None:
        if self.traits.numbered:
            self._send(_pack(number) + data, PPID_REPEATED if repeated else PPID_REQUEST)
        else:
            self._send(data, self.ppid)

    def send_reply(self, number: int, data: bytes) -> None:
        self._send(_pack(number) + data, PPID_REPLY)

    def send_control(self, message: asap.Message) -> None:
        self._send(asap.encode(message), PPID_ASAP)

    def say_goodbye(self) -> None:
        if self.traits.numbered:
            self._send(b"\0", PPID_GOODBYE)

    def probe(self) -> None:
        if self.transport is not None:
            self.transport.probe()

    def stop_reading(self) -> None:
        self._reading = False

    def start_reading(self) -> None:
        self._reading = True
        while self._waiting and self._reading and not self.over:
            data, ppid = self._waiting.pop(0)
            self._waiting_bytes -= len(data)
            self._take(data, ppid)
        if self._lost is not None and not self._waiting:
            reason, self._lost = self._lost, None
            self.connectionLost(reason)

    def _send(self, data: bytes, ppid: int) -> None:
        if not 0 < len(data) <= MAX_MESSAGE:
            raise ValueError(f"a message of a session over SCTP holds 1 to {MAX_MESSAGE - 4} bytes, not {len(data)}")
        self.transport.send(data, ppid)

    def _take(self, data: bytes, ppid: int) -> None:
        if self.over:
            return
        if ppid == PPID_ASAP:
            if self.traits.control:
                self._control(data)
        elif ppid in _NUMBERED:
            if len(data) < 4:
                self._broken(WireError(f"a request or answer has {len(data)} bytes"))
            elif ppid == PPID_REPLY:
                self.owner.link_answered(self, _number(data)[0], data[4:])
            else:
                if not self.traits.numbered:
                    # A user of ours: it knows what else session framing has.
                    self.traits = replace(self.traits, numbered=True)
                self.owner.link_asked(self, _number(data)[0], data[4:], ppid == PPID_REPEATED)
        elif ppid == PPID_GOODBYE:
            self.owner.link_goodbye(self)
        else:
            self.owner.link_data(self, data)
