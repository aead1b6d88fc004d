"""A kernel SCTP socket in the reactor: reads messages and notifications, and waits for room to send."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.sctp.base import A_TURN
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.messages import AT_ONCE, ROOM, Came
from rserpool.sctp.kernel.notifications import NUMBERS
from rserpool.sctp.kernel.options import SCTP_UNORDERED
from rserpool.sctp.kernel.settings import KernelSettings
from rserpool.sctp.notifications import Notification
from rserpool.sctp.sockets import SctpSocket, SocketAssociation

_log = Logger()


class SocketOwner(Protocol):
    """The endpoint that a socket belongs to.

    @ivar reactor: where it is read.
    @ivar by_id: the associations that the kernel knows, by its numbers.
    """

    @property
    def reactor(self) -> Any: ...

    @property
    def by_id(self) -> Mapping[int, SocketAssociation[Any]]: ...

    def notified(self, notification: Notification | None) -> None:
        """The kernel tells something."""

    def has_room(self, sock: KernelSocket) -> None:
        """It has room again."""

    def drained(self, sock: KernelSocket, empty: bool) -> None:
        """It has been read, until nothing was left or for long enough."""

    def socket_lost(self, sock: KernelSocket) -> None:
        """The socket of one association is of no more use."""


@implementer(IReadDescriptor, IWriteDescriptor)
class KernelSocket(SctpSocket):
    """One socket with any number of associations, or with one that has been peeled off.

    @ivar alone: the identifier of the association that has this socket for itself, or 0.
    """

    UNORDERED, EOF, ABORT = SCTP_UNORDERED, options.SCTP_EOF, options.SCTP_ABORT

    def __init__(self, endpoint: SocketOwner, settings: KernelSettings, sock: socket.socket, alone: int = 0) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.socket = sock
        self.alone = alone
        self._receive = settings.receive
        # Read, and not yet handed over.
        self._came: deque[Came] = deque()
        self._notification = bytearray()
        self._reading = False
        self._writing = False

    def __repr__(self) -> str:
        return f"<socket of {self.endpoint!r}>"

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return repr(self.endpoint)

    def start(self) -> None:
        """Begin to read."""
        self._reading = True
        self.endpoint.reactor.addReader(self)

    def stop(self) -> None:
        """Do not read."""
        if self._reading:
            self._reading = False
            self.endpoint.reactor.removeReader(self)

    def close(self) -> None:
        self.stop()
        self.want_room(False)
        self._came.clear()
        self.socket.close()

    def beside(self, identifier: int, stream: int, flags: int, ppid: int) -> list[tuple[int, int, bytes]]:
        return [(options.IPPROTO_SCTP, options.CMSG_SNDINFO, super().beside(identifier, stream, flags, ppid))]

    def control(self, identifier: int, flag: int) -> bool:
        try:
            self.socket.sendmsg((), self.beside(identifier, 0, flag, 0))
        except BlockingIOError:
            return False
        except OSError as error:
            _log.debug("{socket}: {number} is gone already: {error}", socket=self, number=identifier, error=error)
        return True

    def peel_off(self, identifier: int) -> KernelSocket:
        """A socket of its own for an association, which is read from now on.

        @raise OSError: if the association is gone, or there are too many open files.
        """
        own = KernelSocket(self.endpoint, self.settings, options.peel_off(self.socket, identifier), identifier)
        own.start()
        return own

    def tick(self, identifier: int) -> float:
        """How long the kernel's clock stands still, in seconds; an association tells."""
        return self.settings.tick(self.socket, identifier)

    def want_room(self, wanted: bool) -> None:
        """Whether to be told when the kernel has room again."""
        if wanted != self._writing:
            self._writing = wanted
            if wanted:
                self.endpoint.reactor.addWriter(self)
            else:
                self.endpoint.reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        # The reactor gave the socket up.
        self._reading = self._writing = False
        if self.alone:
            self.endpoint.socket_lost(self)
        elif self.socket.fileno() >= 0:
            # An error of one association, or none at all, must not end all the others.
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            _log.warn("{port}: {error}; going on", port=self, error=os.strerror(error) if error else reason.value)
            self.start()

    def doWrite(self) -> None:
        self.endpoint.has_room(self)

    def doRead(self) -> None:
        for _ in range(A_TURN // AT_ONCE):
            try:
                came, more = self._receive(self.socket)
            except OSError as error:
                self._failed(error)
                break
            self._came.extend(came)
            self.hand_over()
            if not self._reading:
                return
            if not more:
                break
        else:
            self.endpoint.drained(self, empty=False)
            return
        self.endpoint.drained(self, empty=True)

    def hand_over(self) -> None:
        """Hand over what was read, also while some of it is being handed over."""
        came, by_id = self._came, self.endpoint.by_id
        while came:
            identifier, data, ppid, stream, unordered, whole, notification = came.popleft()
            if notification:
                self._notified(data, whole)
            elif (association := by_id.get(identifier)) is not None:
                association.received(data, ppid, stream, unordered, whole)
            elif not identifier and not data and not whole:
                self._failed(OSError("end of file"))

    def _notified(self, data: bytes, whole: bool) -> None:
        """A notification, or a part of one that is longer than the buffer."""
        if len(self._notification) < 2 * ROOM:
            self._notification += data
        if whole:
            data = bytes(self._notification)
            self._notification.clear()
            self.endpoint.notified(NUMBERS.parse(data))

    def _failed(self, error: OSError) -> None:
        _log.debug("{port}: {error}", port=self, error=error)
        if self.alone:
            self.endpoint.reactor.callLater(0, self.endpoint.socket_lost, self)
