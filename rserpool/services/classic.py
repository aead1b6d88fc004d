"""Echo, discard, daytime and chargen, over SCTP as rsplib has them, and over TCP (RFC 862, 863, 867, 864).

They are raw: a message is data whatever its payload protocol identifier, but for the control channel's (RFC 5352
section 3.8), which is passed over. Over TCP they serve any client.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.one_to_one.transport import SctpAddress, SctpProtocol

CHARGEN = bytes(30 + index % 98 for index in range(1024))
"""What chargen sends again and again."""


class Echo(SctpProtocol):
    """Sends each message back, with its payload protocol identifier, on its stream."""

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        if ppid != PPID_ASAP:
            self.transport.send(data, ppid, stream, unordered)


@implementer(IPushProducer, IHalfCloseableProtocol)
class EchoStream(Protocol):
    """Sends everything back; reads nothing while its client reads nothing."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        """The client has said everything, and may still read."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nobody asks for it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is lost."""


class Discard(SctpProtocol):
    """Takes everything and answers nothing (RFC 863)."""


class DiscardStream(Protocol):
    """Takes everything and answers nothing (RFC 863)."""


class _TellsTheTime:
    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(daytime(time.time()))
        self.transport.loseConnection()


class Daytime(_TellsTheTime, SctpProtocol):
    """Tells the day and time, and closes (RFC 867)."""


class DaytimeStream(_TellsTheTime, Protocol):
    """Tells the day and time, and closes (RFC 867)."""


class _Sends:
    transport: Any
    factory: Any

    def connectionMade(self) -> None:
        _Generator(self.transport, self.factory.clock).start()


class Chargen(_Sends, SctpProtocol):
    """Sends as much as the peer takes (RFC 864)."""


class ChargenStream(_Sends, Protocol):
    """Sends as much as the peer takes (RFC 864)."""


class Classic(ServerFactory):
    """Builds a service's protocols, for SCTP and TCP alike.

    @ivar control: its SCTP port has the Transport Use DATA_PLUS_CONTROL (RFC 5354 section 3.4), as rsplib's have.
    """

    noisy = False
    control = True

    def __init__(self, name: str, clock: Any) -> None:
        """
        @param name: C{"echo"}, C{"discard"}, C{"daytime"} or C{"chargen"}.
        @param clock: the reactor.
        """
        self.clock = clock
        self._over_sctp, self._over_tcp = SERVICES[name]

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self._over_sctp() if isinstance(addr, SctpAddress) else self._over_tcp()
        protocol.factory = self
        return protocol


SERVICES: dict[str, tuple[Callable[[], SctpProtocol], Callable[[], Protocol]]] = {
    "echo": (Echo, EchoStream),
    "discard": (Discard, DiscardStream),
    "daytime": (Daytime, DaytimeStream),
    "chargen": (Chargen, ChargenStream),
}


def daytime(now: float) -> bytes:
    """A line with the day and the local time, as rsplib's daytime has it.

    @param now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now)
    day = f"{_DAYS[moment.weekday()]}, {moment.day:02}-{_MONTHS[moment.month - 1]}-{moment.year}"
    return f"{day} {moment:%H:%M:%S}.{moment.microsecond:06}\n".encode()


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@implementer(IPushProducer)
class _Generator:
    """Writes while its transport takes more, a few pieces a turn so that others have theirs."""

    turn = 16

    def __init__(self, transport: Any, clock: Any) -> None:
        self._transport = transport
        self._clock = clock
        self._going = True
        self._called = False

    def start(self) -> None:
        """Write as soon as the reactor turns."""
        self._transport.registerProducer(self, True)
        self._soon()

    def pauseProducing(self) -> None:
        self._going = False

    def resumeProducing(self) -> None:
        self._going = True
        self._soon()

    def stopProducing(self) -> None:
        self._going = False

    def _soon(self) -> None:
        if not self._called:
            self._called = True
            self._clock.callLater(0, self._write)

    def _write(self) -> None:
        self._called = False
        for _ in range(self.turn):
            if not self._going:
                return
            self._transport.write(CHARGEN)
        self._soon()
