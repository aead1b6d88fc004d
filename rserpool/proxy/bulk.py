"""Bytes from one socket to another: at once where it has room, and within the kernel while much comes (splice(2))."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.main import CONNECTION_LOST

FULL = 1 << 16
"""Bytes that a socket is read for at once; who has as many has more."""
ENOUGH = 2
"""So many full reads, one after the other, are bulk."""
FEW = FULL // 4
"""Who has fewer bytes than this sends no bulk any more."""
PIPE = 1 << 20
"""Bytes on their way within the kernel; where the user may not have as many, it is what a pipe has."""
TURNS = 4
"""So many pipes are filled before others have their turn."""
MOST = 32
"""So many directions at once are passed on within the kernel: each takes two file descriptors."""
REFUSED = (errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENOMEM)
"""What the kernel says that does not do it for these sockets; whatever else it says is about a connection."""
CAN_SPLICE = hasattr(os, "splice")


class Way:
    """One direction between two sockets.

    @param source: the transport that is read.
    @param sink: the transport to which its bytes go.
    @param passed: is told of bytes that L{write} has not seen.
    """

    _pipes = 0
    _ends: tuple[int, int]

    def __init__(self, source: Any, sink: Any, passed: Callable[[int], None]) -> None:
        self._source = source
        self._sink = sink
        self._passed = passed
        self._full = 0
        self._bulk = False
        self._within = 0
        self._waits = False

    def write(self, data: bytes) -> None:
        """Pass on what was read.

        What can be sent at once need not wait for the reactor's next turn. Whatever goes wrong does so again for the
        transport, which knows what to do about it.
        """
        sink = self._sink
        if sink.connected and self._nothing_waits():
            try:
                sent = sink.socket.send(data)
            except OSError:
                sent = 0
            if sent == len(data):
                self._count(sent)
                return
            data = data[sent:]
        self._count(len(data))
        sink.write(data)

    def _nothing_waits(self) -> bool:
        return not self._sink.dataBuffer and not self._sink._tempDataLen

    def _count(self, length: int) -> None:
        self._full = self._full + 1 if length == FULL else 0
        if self._full < ENOUGH or self._bulk or not CAN_SPLICE or Way._pipes >= MOST:
            return
        try:
            self._ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # No descriptor is left: the usual way needs none.
            return
        self._bulk = True
        Way._pipes += 1
        try:
            fcntl.fcntl(self._ends[1], fcntl.F_SETPIPE_SZ, PIPE)
        except OSError:
            pass
        self._source.doRead = self._read

    def _read(self) -> Any:
        """The source has something: C{doRead} while bulk comes."""
        source = self._source
        if self._waits:
            source.stopReading()
            return None
        if not self._nothing_waits():
            # What the transport has comes first.
            return type(source).doRead(source)
        for _ in range(TURNS):
            try:
                count = _splice(source.fileno(), self._ends[1], PIPE)
            except BlockingIOError:
                return None
            except OSError as error:
                self.leave()
                # An error is told once: it would be taken for a polite end the next time.
                return source.doRead() if error.errno in REFUSED else CONNECTION_LOST
            if not count:
                self.leave()
                return source.doRead()
            self._within = count
            self._passed(count)
            if not self._drain():
                return None
            if count < FEW:
                self.leave()
                return None
        return None

    def _drain(self) -> bool:
        """Send what is in the pipe; whether it is empty now, and more may come."""
        while self._within:
            try:
                self._within -= _splice(self._ends[0], self._sink.fileno(), self._within)
            except BlockingIOError:
                self._waits = True
                self._source.stopReading()
                self._sink.doWrite = self._write
                self._sink.startWriting()
                return False
            except OSError:
                self.leave()
                return False
        return True

    def _write(self) -> None:
        """The sink has room again: C{doWrite} while it had none."""
        if self._drain():
            self._go_on()

    def _go_on(self) -> None:
        if self._waits:
            self._waits = False
            vars(self._sink).pop("doWrite", None)
            self._sink.stopWriting()
            if self._source.connected and not self._source.disconnecting:
                self._source.startReading()

    def leave(self) -> None:
        """Have the transports do it by themselves again, beginning with what is within the kernel."""
        if not self._bulk:
            return
        self._full = 0
        self._go_on()
        vars(self._source).pop("doRead", None)
        rest = []
        while self._within:
            rest.append(os.read(self._ends[0], self._within))
            self._within -= len(rest[-1])
        for descriptor in self._ends:
            os.close(descriptor)
        self._bulk = False
        Way._pipes -= 1
        if rest:
            self._sink.write(b"".join(rest))


def way_between(source: Any, sink: Any, passed: Callable[[int], None]) -> Way | None:
    """That of two plain sockets; None where something stands between, as TLS does, or a transport is no socket."""
    return Way(source, sink, passed) if _is_plain(source) and _is_plain(sink) else None


def _is_plain(transport: Any) -> bool:
    if getattr(transport, "prepared", False):
        return True
    # It loads TLS.
    from twisted.internet.tcp import Connection

    return isinstance(transport, Connection) and not getattr(transport, "TLS", False)


def _splice(source: int, sink: int, most: int) -> int:
    return os.splice(source, sink, most, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
