"""The worker's end of the socket of a slot's process: each message with its length before it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from rserpool.core.compute import frames

LENGTH: Final = Struct("!I")
LONGEST: Final = frames.LONGEST + frames.LONGEST_HEADER


class Framed(Protocol):
    """One socket.

    @param received: called with each message.
    @param lost: called once, when nothing comes any more, with whether that is since what came was no message.
    """

    transport: Any

    def __init__(self, received: Callable[[bytes], object], lost: Callable[[bool], object]) -> None:
        self._received = received
        self._lost = lost
        self._buffer = bytearray()
        self._paused = False

    def send(self, message: bytes) -> None:
        """Tell the process."""
        self.transport.writeSequence((LENGTH.pack(len(message)), message))

    def pause(self) -> None:
        """Let it wait: nothing is heard until L{resume}."""
        self._paused = True
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Hear again, first of all what came before."""
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
            self._hear()

    def close(self) -> None:
        """No more."""
        self._lost = _nothing
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        self._hear()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end(False)

    def _end(self, wrong: bool) -> None:
        lost, self._lost = self._lost, _nothing
        lost(wrong)

    def _hear(self) -> None:
        buffer = self._buffer
        while len(buffer) >= LENGTH.size and not self._paused:
            (length,) = LENGTH.unpack_from(buffer)
            if not 0 < length <= LONGEST:
                self._end(True)
                self.close()
                return
            end = LENGTH.size + length
            if len(buffer) < end:
                return
            message = bytes(buffer[LENGTH.size : end])
            del buffer[:end]
            self._received(message)


class _Links(Factory):
    noisy = False

    def __init__(self, link: Framed) -> None:
        self._link = link

    def buildProtocol(self, addr: object) -> Framed:
        return self._link


def adopt(
    reactor: Any, ours: socket.socket, received: Callable[[bytes], object], lost: Callable[[bool], object]
) -> Framed:
    """Speak over a socket, which the caller may then close."""
    link = Framed(received, lost)
    ours.setblocking(False)
    reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, _Links(link))
    return link


def _nothing(wrong: bool) -> None:
    """Nobody waits for it."""
